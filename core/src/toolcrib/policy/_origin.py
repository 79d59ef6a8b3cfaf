"""Where a policy comes from: a folder of files, or (`_sql`) a table."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from toolcrib.errors import PolicyError
from toolcrib.policy._files import read_text, replace_file, signature
from toolcrib.policy._policy import MODEL_FILE, POLICY_FILE, Policy

__all__ = ["SETTLE", "FolderOrigin", "Origin", "Texts"]

SETTLE = 0.25
"""Seconds for which a file must have been left alone."""
SPARSE = 10_000
"""Lines that may be left empty so that the others keep their numbers."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A policy as text, as it was read once: what is checked, kept and put in force is this and nothing else.

    `file` is the name that its rows are known by, and `numbers` their line numbers where these are not
    simply 1, 2, 3 (row ids of a table). `folder` is where the policy's tests are, if it has any.
    """

    model: str
    rows: str
    file: str = POLICY_FILE
    numbers: Sequence[int] | None = None
    folder: Path | None = None

    def policy(self) -> Policy:
        """The policy; raises `PolicyError`."""
        return Policy.of(self.model, self.rows, self.file, self.numbers)

    def write_to(self, folder: Path) -> None:
        """Write both files, for tools that read a folder. A row stands in the line of its number, if the
        numbers are not too far apart.
        """
        rows = self.rows
        if self.numbers and self.numbers[-1] <= 2 * len(self.numbers) + SPARSE:
            rows = "".join(_aligned(self.numbers, rows))
        (folder / MODEL_FILE).write_bytes(self.model.encode())
        (folder / POLICY_FILE).write_bytes(rows.encode())


class Origin(Protocol):
    """A place that a policy is read from."""

    name: str
    """For messages."""
    is_slow: bool
    """Whether even a look may take long, so that nobody should wait for one."""

    def look(self) -> Hashable:
        """What changes when the policy does, without reading it; raises nothing."""

    def is_settled(self, seen: Hashable) -> bool:
        """Whether what was seen is surely whole, and not still being written."""

    def read(self) -> Texts:
        """The texts; raises `PolicyError`."""

    def write(self, before: Texts | None, model: str, rows: str) -> Texts:
        """Replace what was read as `before` (None: whatever is there), and say what stands there then.

        Raises `PolicyError` if it is something else than `before` by now.
        """

    def close(self) -> None:
        """Give up what is held open."""


class FolderOrigin:
    """`model.conf` and `policy.csv` in a folder."""

    is_slow = False

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, str(folder)

    def look(self) -> Hashable:
        """Time, size and inode of both files."""
        return signature(self.folder / MODEL_FILE), signature(self.folder / POLICY_FILE)

    def is_settled(self, seen: Hashable) -> bool:
        """Whether the youngest file was written long enough ago; by a clock in the future, never."""
        files = seen if isinstance(seen, tuple) else ()
        written = max((one[0] for one in files if one), default=0)
        return 0 <= written <= time.time_ns() - int(SETTLE * 1e9)

    def read(self) -> Texts:
        """Both files."""
        model, rows = (read_text(self.folder / name) for name in (MODEL_FILE, POLICY_FILE))
        return Texts(model, rows, folder=self.folder)

    def write(self, before: Texts | None, model: str, rows: str) -> Texts:
        """Write what differs beside the file and rename it over it; a link stays one."""
        now = self.read() if before else Texts("", "")
        if before and (now.model, now.rows) != (before.model, before.rows):
            raise PolicyError(
                f"{self.name} has changed in the meantime",
                rule="a change is made to the policy that was shown",
                remedy="Look at it again",
            )
        for name, old, new in ((MODEL_FILE, now.model, model), (POLICY_FILE, now.rows, rows)):
            if old != new:
                replace_file(self.folder / name, new)
        return Texts(model, rows, folder=self.folder)

    def close(self) -> None:
        """Nothing is held open."""


def _aligned(numbers: Sequence[int], rows: str) -> Iterator[str]:
    at = 0
    for number, line in zip(numbers, rows.split("\n"), strict=False):
        yield "\n" * (number - at - 1)
        yield line + "\n"
        at = number
