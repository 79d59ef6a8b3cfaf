"""Every policy that was in force: its files, since when, by whom and why.

`FOLDER/REVISION/` holds `model.conf`, `policy.csv` and the tests as they stood; `FOLDER/log.jsonl` has a
line whenever another revision came into force. Several processes share it: whoever is first writes the
line. Lines and folders are only ever added. `FOLDER/guards.json` says which tests and properties there were.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from toolcrib.errors import PolicyError, StateError, ToolcribWarning
from toolcrib.policy._files import read_text, replace_file
from toolcrib.policy._guards import TESTS, Guards, losses, seen
from toolcrib.policy._origin import Texts
from toolcrib.policy._policy import MODEL_FILE, POLICY_FILE, Policy, revision_of

__all__ = ["TESTS", "Entry", "History"]

MAX_TESTS = 16 * 2**20
"""Bytes; more is not kept with a revision."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A revision that came into force at `when` (UTC, ISO). `by` and `why` are empty where nobody said;
    `added` and `removed` count rows against the entry before.
    """

    revision: str
    when: str
    by: str
    why: str
    rows: int
    added: int
    removed: int


class History:
    """The history in one folder, which is made when something is first kept.

    Raises `StateError` where it cannot be read or written, `PolicyError` for a revision that is not there or
    that somebody has changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._log = self.folder / "log.jsonl"
        self._guards = self.folder / "guards.json"

    def entries(self) -> list[Entry]:
        """All entries, oldest first."""
        with _readable(self.folder):
            if not self._log.exists():
                return []
            lines = self._log.read_text("utf-8").split("\n")
        # A line without its end was torn by a crash; the revision it told of is noted again when it is next
        # loaded.
        try:
            return _folded(Entry(**json.loads(line)) for line in lines[:-1] if line)
        except (ValueError, TypeError) as error:
            raise _damaged(self._log, f"is damaged: {error}") from error

    def last(self) -> Texts | None:
        """The policy that was in force last; None in a new crib."""
        found = self.entries()
        return self.texts(found[-1].revision) if found else None

    def texts(self, revision: str) -> Texts:
        """The policy of a revision, which may be shortened as long as it stays unique."""
        known = sorted({entry.revision for entry in self.entries() if entry.revision.startswith(revision)})
        if len(known) != 1 or not revision:
            raise PolicyError(
                f"revision {revision!r} is {'not unique' if known else 'not in the history'}",
                rule="a revision is known once it was in force here",
                remedy="See `toolcrib policy log`",
            )
        folder = self.folder / known[0]
        texts = Texts(read_text(folder / MODEL_FILE), read_text(folder / POLICY_FILE), folder=folder)
        if revision_of(texts.model, texts.rows) != known[0]:
            raise PolicyError(
                f"{folder} is not what was in force: its files have changed",
                rule="a revision is a digest of its files",
                remedy="Restore the folder from a backup",
            )
        return texts

    def keep(self, texts: Texts, policy: Policy, *, by: str = "", why: str = "") -> bool:
        """Note that this policy is in force from now on; False if the last line says so already.

        Whoever made the change says `by` and `why`, also where somebody else was quicker to note it.
        """
        with self._locked():
            before = self.entries()
            if before and before[-1].revision == policy.revision and not why:
                return False
            self._store(texts, policy.revision)
            old = self._lines(before[-1].revision) if before else Counter[str]()
            new = _lines_of(texts.rows)
            moment = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            by, why = by or _owner(texts), why or ("changed" if before else "the first")
            numbers = len(policy.rows), (new - old).total(), (old - new).total()
            self._append(Entry(policy.revision, moment, by, why, *numbers))
            return True

    # --- what held it

    @property
    def guards(self) -> Guards:
        """The tests and properties that were there when they were last noted."""
        with _readable(self.folder):
            if not self._guards.exists():
                return Guards()
            text = self._guards.read_text("utf-8")
        try:
            return Guards.parsed(text)
        except (ValueError, TypeError) as error:
            raise _damaged(self._guards, f"is damaged: {error}") from error

    def note_guards(self, folder: Path) -> tuple[Guards, Guards]:
        """Note the tests and properties in a policy's folder; what was noted before, and what is now. What is
        missing there stays noted.
        """
        before = self.guards
        if seen(folder, before) == before:
            return before, before
        with self._locked():
            before = self.guards
            after = seen(folder, before)
            replace_file(self._guards, after.text)
            return before, after

    def watch_guards(self, folder: Path, record: Callable[..., object]) -> None:
        """Note them, and tell of fewer than before (`policy.guards`) and of what is missing
        (`policy.unguarded`, and a `ToolcribWarning`).
        """
        before, after = self.note_guards(folder)
        if after.tests < before.tests or after.properties < before.properties:
            record(kind="admin", action="policy.guards", detail=f"{before} → {after}")
        for what in self.lost(folder):
            record(kind="admin", action="policy.unguarded", detail=what)
            warnings.warn(ToolcribWarning(what), stacklevel=3)

    def lost(self, folder: Path, *, tests: bool = True) -> list[str]:
        """What was noted and is missing in a policy's folder, each with the remedy."""
        return losses(folder, self.guards, tests=tests)

    # --- files

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _readable(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(_private(self.folder / ".lock"), "r+b") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    def _append(self, entry: Entry) -> None:
        line = json.dumps(asdict(entry), ensure_ascii=False) + "\n"
        with os.fdopen(_private(self._log), "r+b") as file:
            data = file.read()
            file.seek(data.rfind(b"\n") + 1)  # over a torn line
            file.truncate()
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def _store(self, texts: Texts, revision: str) -> None:
        target, fresh = self.folder / revision, self.folder / f".{revision}"
        if target.exists():
            return
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        for name, text in ((MODEL_FILE, texts.model), (POLICY_FILE, texts.rows)):
            _write(fresh / name, text.encode())
        if texts.folder is not None:
            _copy_tests(texts.folder / TESTS, fresh / TESTS)
        fresh.rename(target)

    def _lines(self, revision: str) -> Counter[str]:
        path = self.folder / revision / POLICY_FILE
        return _lines_of(read_text(path)) if path.exists() else Counter()


def _folded(lines: Iterable[Entry]) -> list[Entry]:
    """One entry for lines in a row about one revision: since the first, by whom and why as the last says."""
    found: list[Entry] = []
    for one in lines:
        if found and found[-1].revision == one.revision:
            found[-1] = replace(found[-1], by=one.by, why=one.why)
        else:
            found.append(one)
    return found


def _lines_of(rows: str) -> Counter[str]:
    lines = (line.strip() for line in rows.split("\n"))
    return Counter("".join(line.split()) for line in lines if line and line[0] != "#")


def _copy_tests(source: Path, target: Path) -> None:
    files = sorted(path for path in source.glob("*.y*ml") if path.is_file())
    if files and sum(path.stat().st_size for path in files) <= MAX_TESTS:
        target.mkdir(mode=0o700)
        for path in files:
            _write(target / path.name, path.read_bytes())


def _private(path: Path) -> int:
    """A descriptor of a file that only its owner may read."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(_private(path), "r+b") as file:
        file.write(data)


def _owner(texts: Texts) -> str:
    """Whose file it is: the nearest to who wrote it, where nobody said."""
    if texts.folder is None:
        return ""
    try:
        uid = (texts.folder / POLICY_FILE).stat().st_uid
        return pwd.getpwuid(uid).pw_name
    except (OSError, KeyError):
        return ""


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(folder, f"cannot be used: {error}") from error


def _damaged(path: Path, what: str) -> StateError:
    return StateError(
        f"the policy history {path} {what}",
        rule="every policy that was in force is kept",
        remedy="Make the folder writable, or restore it from a backup",
    )
