"""The files of the log: `000001.jsonl`, `000002.jsonl`, ... and beside them the folders `checkpoints/` and
`torn/`.

A segment that is full ends with a record of the log itself that names the next one. So a reader knows from
the bytes whether a segment must follow, and a writer in another process, whose segment seems not to have
grown, cannot miss that the log went on.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path

from toolcrib._private import make_private
from toolcrib.audit._errors import failed
from toolcrib.audit._record import canonical

__all__ = [
    "CHECKPOINTS",
    "TORN",
    "continued",
    "locked",
    "name_of",
    "numbers",
    "snapshot",
    "strays",
    "successor",
    "sync_folder",
    "write_new",
]

CHECKPOINTS = "checkpoints"
TORN = "torn"

_NAME = re.compile(r"([0-9]{6,})\.jsonl")
_MARK = b'"record":{"event":"continued","kind":"log","next":"'


def name_of(number: int) -> str:
    """`000001.jsonl` for 1."""
    return f"{number:06}.jsonl"


def numbers(folder: Path) -> list[int]:
    """The numbers of the segments that are there, ascending; whether any is missing is the verifier's
    question.
    """
    found = (_NAME.fullmatch(name) for name in os.listdir(folder))  # noqa: PTH208 - only names are needed
    return sorted(int(match[1]) for match in found if match and name_of(int(match[1])) == match[0])


def strays(folder: Path) -> list[str]:
    """Names that have no business in an audit folder."""
    known = {name_of(number) for number in numbers(folder)} | {CHECKPOINTS, TORN}
    return sorted(set(os.listdir(folder)) - known)  # noqa: PTH208


def continued(number: int) -> bytes:
    """The record that ends a segment and names segment `number` as the next."""
    return canonical({"event": "continued", "kind": "log", "next": name_of(number)})


def successor(line: bytes) -> str | None:
    """The segment that `line` (without line end) names as the next, or None if it is any other record."""
    _, mark, rest = line.rpartition(_MARK)
    name = rest.removesuffix(b'"}}').decode(errors="replace")
    # Callers cannot write this record, but they can nest one like it, as an argument; then the tail has
    # more braces.
    return name if mark and rest.endswith(b'"}}') and _NAME.fullmatch(name) else None


@contextmanager
def locked(folder: Path, *, exclusive: bool) -> Iterator[int]:
    """Hold the log's lock; yields the folder's descriptor.

    The folder itself is what is locked: a lock file could be deleted under a waiting process, and then two
    would write at once.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flock(descriptor, LOCK_EX if exclusive else LOCK_SH)
        yield descriptor
        flock(descriptor, LOCK_UN)
    finally:
        os.close(descriptor)


def snapshot(folder: Path) -> list[tuple[int, Path, int]]:
    """Number, path and size in bytes of every segment at one moment between two commits; `AuditError` if
    unreadable.
    """
    try:
        with locked(folder, exclusive=False):
            paths = [(number, folder / name_of(number)) for number in numbers(folder)]
            return [(number, path, path.stat().st_size) for number, path in paths]
    except OSError as error:
        raise failed("read", folder, error) from error


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power failure; a file's own fsync does not cover its name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: Path, data: bytes, *, mode: int = 0o600, replace: bool = True) -> None:
    """A file that is there whole and durable, or not at all: written beside its place, synced, then given
    its name.

    With `replace=False` a file that is already there stays, also one that another process made at the same
    moment.
    """
    make_private(path.parent)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(
            os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode), "wb"
        ) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            part.replace(path)
        else:
            with suppress(FileExistsError):
                path.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)
