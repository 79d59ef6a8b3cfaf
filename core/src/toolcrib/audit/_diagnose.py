"""What was done to a log, told from the first line that does not continue the chain.

Every line carries its own hash, so a line that was changed gives itself away. Lines that are whole but
stand in the wrong place tell by their numbers whether others are missing, were added, or changed places.
Somebody who also made hashes anew leaves a seam where the old chain goes on; the line before the seam is
then the bad one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toolcrib.audit._chain import HASH_END, Head, parse

__all__ = ["Context", "Problem", "What", "diagnose"]

What: TypeAlias = Literal[
    "edited",  # the record's bytes are not those that were hashed
    "deleted",  # records are missing before this place
    "inserted",  # this was not written by the log at this place
    "swapped",  # this record stands before one that it came after
    "torn",  # the line has no end
    "cut",  # the log ends before a record that is known to have been there
    "rewritten",  # the chain was made anew, against a signed checkpoint
    "bad signature",  # a checkpoint is not signed by the right key
    "extra file",
    "not a file",  # a link, or whatever else stands in a segment's place
]

_LOOK_AHEAD = 100_000  # lines searched for the record that should have stood here


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing that does not fit: what, in which `file` and `line` (from 1), which record (`seq`),
    and why it is thought so.
    """

    what: What
    file: str
    line: int | None
    seq: int | None
    detail: str

    @property
    def place(self) -> str:
        """`000001.jsonl:12`."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        record = "" if self.seq is None else f"record {self.seq} "
        return f"{self.place}: {record}{self.what}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Context:
    """Where the pass stopped: at line `line` of `path`, with the chain at `head`, one record earlier at
    `before`.
    """

    segment: int
    path: Path
    segments: Sequence[tuple[int, Path, int]]
    line: int
    head: Head
    before: Head

    def from_here(self) -> Iterator[bytes]:
        """The line at which the pass stopped, and those after it, through all later segments."""
        later = [path for number, path, _ in self.segments if number >= self.segment]
        for path in later:
            with path.open("rb") as file:
                start = self.line - 1 if path == self.path else 0
                yield from (line.rstrip(b"\n") for line in islice(file, start, None))


def diagnose(context: Context) -> Problem:
    """The problem at the line where the pass stopped."""
    lines = context.from_here()
    line = next(lines, b"")
    expected = context.head.seq + 1
    entry = parse(line)
    if entry is None:
        return _problem(
            context, "edited" if line else "inserted", expected, "the line is not a record in canonical form"
        )
    if _hash(line) != line[9:73]:
        return _problem(context, "edited", expected, "its bytes are not those that its hash was made of")
    return _misplaced(context, entry["log"], line, lines)


def _misplaced(context: Context, log: dict[str, Any], line: bytes, lines: Iterator[bytes]) -> Problem:
    """The line is a whole record, but not the one that follows the line before it."""
    head, seq, prev = context.head, log["seq"], log["prev"].encode()
    expected = head.seq + 1
    if prev == head.hash and seq == expected and log["segment"] != context.segment:
        detail = f"it belongs into segment {log['segment']} and was moved here"
        return _problem(context, "inserted", seq, detail)
    if prev == head.hash:
        why = (
            f"it counts itself as {seq}" if seq != expected else "its time is before that of the last record"
        )
        return _problem(context, "edited", expected, f"{why}; its hash was made anew")
    if prev == context.before.hash and seq == head.seq:
        return _doubled(context, line, next(lines, b""))
    if seq == expected:
        return _problem(
            context,
            "edited",
            head.seq,
            "its hash was made anew, but the next record names the old one",
            back=1,
        )
    if seq < expected:
        return _problem(
            context, "inserted", seq, f"a copy of record {seq} stands where record {expected} belongs"
        )
    if _stands_later(expected, head.hash, lines):
        return _problem(
            context, "swapped", seq, f"it stands where record {expected} belongs, which comes later"
        )
    return _problem(
        context, "deleted", expected, f"record {seq} follows record {head.seq}: {_missing(expected, seq - 1)}"
    )


def _doubled(context: Context, line: bytes, following: bytes) -> Problem:
    """Two lines follow the same record. The true one is that which the next line continues."""
    if _hash(line) == context.head.hash:
        return _problem(context, "inserted", context.head.seq, f"a copy of record {context.head.seq}")
    entry = parse(following)
    goes_on_here = entry is not None and entry["log"]["prev"].encode() == _hash(line)
    seq = context.head.seq
    detail = f"two lines claim to be record {seq}"
    return _problem(context, "inserted", seq, detail, back=1 if goes_on_here else 0)


def _stands_later(seq: int, prev: bytes, lines: Iterator[bytes]) -> bool:
    opening = b'","log":{"prev":"%b","segment":' % prev
    number = b',"seq":%d,"ts":"' % seq
    return any(line[73:].startswith(opening) and number in line for line in islice(lines, _LOOK_AHEAD))


def _missing(first: int, last: int) -> str:
    return f"record {first} is missing" if first == last else f"records {first} to {last} are missing"


def _hash(line: bytes) -> bytes:
    return sha256(b"{" + line[HASH_END:]).hexdigest().encode()


def _problem(context: Context, what: What, seq: int, detail: str, *, back: int = 0) -> Problem:
    return Problem(what, context.path.name, max(1, context.line - back), seq, detail)
