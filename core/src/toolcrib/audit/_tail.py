"""Reading the end of a segment: where the chain stands, and what a crash left there.

What a crash can leave is a line without its end, or, after a power failure, blocks of zeros where data was
still under way. Both are *torn*: they were never confirmed to anybody, so they are set aside. Zeros cannot
stand in canonical JSON, so nothing that was ever a record looks like that. Anything else that does not fit
(a whole line with a wrong hash, say) is no crash but a change, and the log refuses to be continued over it.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from toolcrib.audit._chain import GENESIS, Head, follow, parse
from toolcrib.audit._segments import TORN, name_of, successor, write_new
from toolcrib.errors import AuditError

__all__ = ["Tail", "changed", "grown", "last_used", "set_aside", "tail"]


class Tail(NamedTuple):
    """`head` after the last whole record, which ends at byte `end`; `torn` bytes follow. `next` is the
    segment it names.
    """

    head: Head
    end: int
    torn: int
    next: str | None


def tail(path: Path, number: int) -> Tail:
    """The end of the segment at `path`; the last line's own hash is checked. `head` is `GENESIS` where
    there is no whole line.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return Tail(GENESIS, 0, 0, None)
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
            end = _whole(data, size)
            if not end:
                return Tail(GENESIS, 0, size, None)
            line = data[data.rfind(b"\n", 0, end - 1) + 1 : end - 1]
    return Tail(_head_of(line, path, number), end, size - end, successor(line))


def _whole(data: mmap.mmap, size: int) -> int:
    zero = data.find(b"\0")
    return data.rfind(b"\n", 0, size if zero < 0 else zero) + 1


def _head_of(line: bytes, path: Path, number: int) -> Head:
    entry = parse(line)
    if entry is not None:
        before = Head(entry["log"]["seq"] - 1, entry["log"]["prev"].encode(), b"")
        good, head = follow([line], number, before)
        if good:
            return head
    raise changed(path, "its last record is not what its hash says")


def last_used(folder: Path, there: Sequence[int]) -> tuple[int, Tail]:
    """The segment that the log ends in, and its tail. `there` are the segments' numbers, ascending.

    A segment without a whole record counts only if the one before names it; else it is the start of a roll
    that a crash stopped.
    """
    for number in reversed(there):
        found = tail(folder / name_of(number), number)
        if found.end or number == 1:
            return number, found
        before = tail(folder / name_of(number - 1), number - 1)
        if before.next == name_of(number):
            return number, found._replace(head=before.head)
    raise AssertionError("a log has a first segment")


def grown(path: Path, number: int, start: int, head: Head) -> Tail:
    """What others appended after byte `start`, where the chain stood at `head`; every line is checked."""
    with path.open("rb") as file:
        file.seek(start)
        data = file.read()
    zero = data.find(b"\0")
    end = data.rfind(b"\n", 0, len(data) if zero < 0 else zero) + 1
    if not end:
        return Tail(head, start, len(data), None)
    lines = data[: end - 1].split(b"\n")
    good, head = follow(lines, number, head)
    if good < len(lines):
        raise changed(path, f"what was appended after record {head.seq} does not continue the chain")
    return Tail(head, start + end, len(data) - end, successor(lines[-1]))


def set_aside(path: Path, found: Tail, number: int) -> dict[str, Any]:
    """Move the torn bytes into a side file, and return the record that says so. The caller holds the lock.

    First the copy is durable, then the segment is cut: a crash in between leaves both, and the next try
    does it again.
    """
    with path.open("rb") as file:
        file.seek(found.end)
        data = file.read()
    side = path.parent / TORN / f"{name_of(number)}.{found.end}.{hashlib.sha256(data).hexdigest()[:12]}"
    write_new(side, data)
    os.truncate(path, found.end)
    return {
        "bytes": len(data),
        "event": "torn line set aside",
        "file": f"{TORN}/{side.name}",
        "kind": "log",
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def changed(path: Path, why: str) -> AuditError:
    """The error of a log that was changed behind the writers' back."""
    return AuditError(
        f"audit log '{path}' was changed: {why}",
        rule="a log that does not continue its own chain is not continued",
        remedy=f"Run 'toolcrib audit verify', keep '{path.parent}' as evidence, and start a new audit folder",
    )
