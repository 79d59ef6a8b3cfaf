"""Reading the log: records as mappings, in order or newest first, with filters.

Reading checks the form of each line but not the chain; that is `verify`'s work. A line that is not
canonical is refused rather than read leniently, since two readers could then see two different records in
it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolcrib.audit._chain import parse
from toolcrib.audit._errors import failed
from toolcrib.audit._record import canonical
from toolcrib.audit._segments import snapshot
from toolcrib.audit._sinks import flat
from toolcrib.errors import AuditError

__all__ = ["query", "read"]


def read(folder: Path, *, newest_first: bool = False, after: int = 0) -> Iterator[dict[str, Any]]:
    """Every record whose `seq` is greater than `after`: the caller's fields beside the log's `seq`, `ts`,
    `writer`, `prev`, `hash`, `v`.

    Streams, and ends where the log ended at the time of the call. Raises `AuditError` at a line that is no
    record.
    """
    for entry in _entries(Path(folder), newest_first, ()):
        if entry["seq"] > after:
            yield entry
        elif newest_first:
            return


def query(
    folder: Path,
    *,
    tool: str | None = None,
    user: str | None = None,
    agent: str | None = None,
    status: str | None = None,
    kind: str | None = None,
    run: str | None = None,
    approval: str | None = None,
    call: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    newest_first: bool = False,
) -> Iterator[dict[str, Any]]:
    """Records whose fields equal all that are given, from `since` (included) until `until` (not included;
    naive times are UTC).

    `tool` may end in `.*` for all tools of a pack. Raises `AuditError` as `read` does.
    """
    fields = {
        "user": user,
        "agent": agent,
        "status": status,
        "kind": kind,
        "run": run,
        "approval": approval,
        "call": call,
    }
    exact = {name: value for name, value in fields.items() if value is not None}
    prefix = tool[:-1] if tool and tool.endswith(".*") else None
    if tool and prefix is None:
        exact["tool"] = tool
    # Canonical JSON spells an equal field in one way only, so most lines can be passed over without parsing
    # them.
    needles = tuple(canonical({name: value})[1:-1] for name, value in exact.items())
    first, last = _bound(since), _bound(until)
    for entry in _entries(Path(folder), newest_first, needles):
        if (
            all(entry.get(name) == value for name, value in exact.items())
            and (prefix is None or str(entry.get("tool", "")).startswith(prefix))
            and (first is None or entry["ts"] >= first)
            and (last is None or entry["ts"] < last)
        ):
            yield entry


def _bound(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _entries(folder: Path, newest_first: bool, needles: tuple[bytes, ...]) -> Iterator[dict[str, Any]]:
    segments = snapshot(folder)
    for _, path, size in reversed(segments) if newest_first else segments:
        for start, line in _lines(path, size, newest_first):
            if all(needle in line for needle in needles):
                entry = parse(line)
                if entry is None:
                    raise _unreadable(path, start)
                yield flat(entry)


def _lines(path: Path, size: int, newest_first: bool) -> Iterator[tuple[int, bytes]]:
    """Whole lines with the byte they start at; what a crash left after the last line end is no record."""
    if not size:
        return
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(
                file.fileno(), min(size, os.fstat(file.fileno()).st_size), access=mmap.ACCESS_READ
            ) as data,
        ):
            yield from _backwards(data) if newest_first else _forwards(data)
    except (OSError, ValueError) as error:
        raise failed("read", path, error if isinstance(error, OSError) else OSError(str(error))) from error


def _forwards(data: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield start, data[start:end]
        start = end + 1


def _backwards(data: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    end = data.rfind(b"\n")
    while end >= 0:
        start = data.rfind(b"\n", 0, end) + 1
        yield start, data[start:end]
        end = start - 1


def _unreadable(path: Path, start: int) -> AuditError:
    return AuditError(
        f"audit log '{path}' holds no record at byte {start}",
        rule="a line is one record in canonical JSON",
        remedy="Run 'toolcrib audit verify' to see what was changed",
    )
