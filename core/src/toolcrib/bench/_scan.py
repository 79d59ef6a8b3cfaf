"""The log in pieces: lines of decided calls, and when each session read what.

A piece is a range of bytes of one segment; a line belongs to the piece in which it begins. So pieces can be
read in any order and by several processes. Lines are filtered as bytes where that is certain, since half of
the log is outcomes.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from toolcrib.audit._errors import failed
from toolcrib.audit._read import _unreadable
from toolcrib.audit._segments import snapshot
from toolcrib.audit._sinks import flat

__all__ = ["Filters", "Piece", "Seen", "decided", "labelled", "merge_seen", "pieces"]

PIECE = 8 * 2**20
"""Bytes: large enough to be worth a task, small enough for a progress bar."""

_KINDS = (b'"kind":"intent"', b'"kind":"refusal"', b'"kind":"recall"')
_DECIDED = frozenset({"intent", "refusal", "recall"})
_TS = b'"ts":"'  # its first occurrence is the log's own: `hash` and `log` stand before the caller's fields

Seen: TypeAlias = dict[tuple[str, str], dict[str, int]]
"""For each tenant and session, the labels that it has read, with the number of the first such record."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes `start` to `end` of a segment."""

    path: Path
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Filters:
    """Which calls: `tool` may be `pack.*`; from `since` (included) until `until` (not included), in UTC where
    naive.
    """

    tool: str | None = None
    agent: str | None = None
    user: str | None = None
    tenant: str | None = None
    run: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def bounds(self) -> tuple[bytes, bytes]:
        """The first and the last moment as they stand in a line."""
        return _bound(self.since) or b"", _bound(self.until) or b"~"

    @property
    def exact(self) -> dict[str, str]:
        """Fields that must be equal."""
        given = {"agent": self.agent, "user": self.user, "tenant": self.tenant, "run": self.run}
        if self.tool and not self.tool.endswith(".*"):
            given["tool"] = self.tool
        return {name: value for name, value in given.items() if value is not None}

    @property
    def prefix(self) -> str:
        """What the tool's name begins with."""
        return self.tool[:-1] if self.tool and self.tool.endswith(".*") else ""


def _bound(moment: datetime | None) -> bytes | None:
    if moment is None:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


def pieces(folder: Path) -> list[Piece]:
    """The log as it stands now, in order; raises `AuditError`."""
    return [
        Piece(path, start, min(start + PIECE, size))
        for _, path, size in snapshot(folder)
        for start in range(0, size, PIECE)
    ]


def decided(piece: Piece, filters: Filters, marks: Sequence[bytes] = ()) -> Iterator[Mapping[str, Any]]:
    """Records of calls, without previews, whose lines hold all `marks`. Raises `AuditError`."""
    since, until = filters.bounds
    exact, prefix = filters.exact, filters.prefix
    needles = [*marks, *(orjson.dumps({name: value})[1:-1] for name, value in exact.items())]
    for line in _lines(piece):
        if not any(kind in line for kind in _KINDS) or not all(needle in line for needle in needles):
            continue
        at = line.find(_TS) + len(_TS)
        if not since <= line[at : at + 27] < until:
            continue
        record = _record(piece, line)
        if (
            record["kind"] in _DECIDED
            and "preview_of" not in record
            and all(record.get(name) == value for name, value in exact.items())
            and record.get("tool", "").startswith(prefix)
        ):
            yield record


def labelled(piece: Piece) -> Seen:
    """What the sessions of this piece have read: labels are attached when a call has its outcome, or when it
    is answered with that of an equal one.
    """
    seen: Seen = {}
    for line in _lines(piece):
        if b'"labels":[' not in line:
            continue
        record = _record(piece, line)
        if record["kind"] in ("outcome", "recall") and record.get("status") != "cancelled":
            _see(seen, (record["tenant"], record["session"]), record.get("labels") or (), record["seq"])
    return seen


def _see(seen: Seen, session: tuple[str, str], labels: Any, seq: int) -> None:
    known = seen.setdefault(session, {})
    for label in labels:
        known[label] = min(seq, known.get(label, seq))


def merge_seen(into: Seen, more: Seen) -> None:
    """Add what another piece has seen."""
    for session, labels in more.items():
        for label, seq in labels.items():
            _see(into, session, (label,), seq)


def _record(piece: Piece, line: bytes) -> dict[str, Any]:
    try:
        return flat(orjson.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(piece.path, piece.start) from error


def _lines(piece: Piece) -> Iterator[bytes]:
    """Whole lines that begin in the piece; what a crash left after the last line end is no record."""
    try:
        with (
            piece.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            start = data.find(b"\n", piece.start - 1) + 1 if piece.start else 0
            while (start or not piece.start) and start < piece.end:
                end = data.find(b"\n", start)
                if end < 0:
                    return
                yield data[start:end]
                start = end + 1
    except (OSError, ValueError) as error:
        raise failed(
            "read", piece.path, error if isinstance(error, OSError) else OSError(str(error))
        ) from error
