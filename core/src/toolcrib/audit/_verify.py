"""Verification: is every record there, unchanged, in its order?

The pass reads the segments as bytes and follows the chain (`_chain.follow`); it also checks what no single
line can show: that the files are the expected ones and each hands over to the next, and that the log still
contains what checkpoints were signed over. It ends at the first thing that does not fit; `_diagnose` then
works out, slowly, which record that is and what was done to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from toolcrib.audit._chain import GENESIS, Head, follow
from toolcrib.audit._checkpoint import Checkpoint
from toolcrib.audit._diagnose import Context, Problem, diagnose
from toolcrib.audit._errors import failed
from toolcrib.audit._evidence import Evidence, notes
from toolcrib.audit._keys import PublicKey
from toolcrib.audit._record import MAX_RECORD
from toolcrib.audit._segments import name_of, snapshot, strays, successor

__all__ = ["Problem", "Verification", "verify"]

Segment: TypeAlias = tuple[int, Path, int]

_CHUNK = 256 * 1024  # stays in the processor's cache between splitting and hashing
_LONGEST = MAX_RECORD + 64 * 1024
_EMPTY = "it is empty and no record names it: a crash leaves this (the next append puts it to use)"
_CRASH = (
    "the line has no end: a crash leaves this (the next append sets it aside), and so does cutting the file"
)


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found.

    `records` were good from the first on, in `bytes` bytes of `segments` files, and `head` is the hash of
    the last of them. `problem` is the first thing that does not fit, None if all does. `protected` is how
    many of the leading records a checkpoint with a good signature covers; `notes` say in plain words what
    that proves and what it does not.
    """

    records: int
    segments: int
    bytes: int
    head: str
    protected: int
    problem: Problem | None
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True if nothing was found."""
        return self.problem is None


def verify(
    folder: Path,
    *,
    public_key: PublicKey | None = None,
    checkpoint: Checkpoint | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Check the log in `folder` as it stands at the moment of the call; other processes may go on writing.

    `public_key` is the pinned key that checkpoints must be signed with, `checkpoint` one that was shipped
    off the host. Those in the folder are checked as well, but whoever can write the folder can delete them.
    `progress` is called with bytes done and bytes in all. Raises `AuditError` if the folder or the shipped
    checkpoint cannot be read at all.
    """
    folder = Path(folder)
    shipped = Checkpoint.load(checkpoint) if isinstance(checkpoint, Path) else checkpoint
    evidence = Evidence(folder, shipped, public_key)
    segments = snapshot(folder)
    run = _Pass(segments, evidence, progress)
    problem = evidence.collect() or _extra(folder) or _unlike(segments) or run.all()
    return Verification(
        records=run.head.seq,
        segments=len(segments),
        bytes=run.done,
        head=run.head.hash.decode(),
        protected=evidence.protected,
        problem=problem,
        notes=notes(run.head.seq, evidence, ok=problem is None),
    )


def _extra(folder: Path) -> Problem | None:
    names = strays(folder)
    return (
        Problem("extra file", names[0], None, None, "nothing of this name belongs in an audit folder")
        if names
        else None
    )


def _unlike(segments: list[Segment]) -> Problem | None:
    """The log writes plain files only. What a link leads to is kept, and can be changed, somewhere else."""
    for _, path, _ in segments:
        if path.is_symlink() or not path.is_file():
            what = f"a link to {path.readlink()}" if path.is_symlink() else "no plain file"
            detail = f"this segment is {what}; a log's records stand in its own folder"
            return Problem("not a file", path.name, None, None, detail)
    return None


class _Pass:
    """One way through all segments, as far as they are good."""

    def __init__(
        self,
        segments: list[Segment],
        evidence: Evidence,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.segments, self.evidence, self.progress = segments, evidence, progress
        self.total = sum(size for _, _, size in segments)
        self.done = 0
        self.head = self.before = GENESIS  # where the chain stands, and where it stood one record earlier

    def all(self) -> Problem | None:
        """The first problem, or None."""
        place = "000001.jsonl"
        if problem := self.evidence.compare(self.head, place):
            return problem
        for index, (number, path, size) in enumerate(self.segments):
            if number != index + 1:
                return self._missing(index + 1)
            if problem := self._segment(number, path, size, self.segments[index + 1 :]):
                return problem
            place = path.name
        return self.evidence.unmet(self.head.seq, place)

    def _missing(self, number: int) -> Problem:
        detail = f"segment {name_of(number)} is missing, and its records with it"
        return Problem("deleted", name_of(number), None, self.head.seq + 1, detail)

    def _segment(self, number: int, path: Path, size: int, later: list[Segment]) -> Problem | None:
        count, last = 0, b""
        for lines, rest in self._chunks(path, size):
            if problem := self._lines(lines, number, path, count):
                return problem
            count += len(lines)
            last = lines[-1] if lines else last
            if rest:
                return Problem("torn", path.name, count + 1, self.head.seq + 1, _CRASH)
        return self._handover(path, count, successor(last), later)

    def _chunks(self, path: Path, left: int) -> Iterator[tuple[list[bytes], bytes]]:
        """Lines without their ends, piece by piece; the last piece may come with bytes after the last line
        end.
        """
        rest = b""
        try:
            with path.open("rb") as file:
                while left and len(rest) <= _LONGEST and (data := file.read(min(_CHUNK, left))):
                    left -= len(data)
                    *lines, rest = (rest + data).split(b"\n")
                    yield lines, b""
                    self.done += len(data)
                    if self.progress:
                        self.progress(self.done, self.total)
        except OSError as error:
            raise failed("read", path, error) from error
        if rest:
            yield [], rest

    def _lines(self, lines: list[bytes], number: int, path: Path, before: int) -> Problem | None:
        """Follow the chain, with a stop at every record that a checkpoint was signed over."""
        start = 0
        while start < len(lines):
            stop = start + self.evidence.distance(self.head.seq, len(lines))
            part = lines[start:stop] if start or stop < len(lines) else lines
            good, head = follow(part, number, self.head)
            self.before = self._one_earlier(part, good)
            self.head = head
            start += good
            if good < len(part):
                return diagnose(
                    Context(number, path, self.segments, before + start + 1, self.head, self.before)
                )
            if problem := self.evidence.compare(self.head, path.name):
                return problem
        return None

    def _one_earlier(self, part: list[bytes], good: int) -> Head:
        if not good:
            return self.before
        return self.head if good == 1 else Head(self.head.seq + good - 1, part[good - 2][9:73], b"")

    def _handover(self, path: Path, count: int, named: str | None, later: list[Segment]) -> Problem | None:
        """A full segment names the one that follows; the last names none."""
        seq = self.head.seq + 1
        if named and not later:
            return Problem("cut", path.name, count, seq, f"the log goes on in {named}, which is missing")
        if named or not later:
            return None
        _, extra, size = later[0]
        if not size:
            return Problem("extra file", extra.name, None, None, _EMPTY)
        detail = f"{path.name} does not hand over to {extra.name}: its last lines are missing"
        return Problem("deleted", path.name, count + 1, seq, detail)
