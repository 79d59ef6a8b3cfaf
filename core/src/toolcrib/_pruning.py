"""Which artifacts go when there are too many: the oldest that nobody needs.

Nobody can know what an agent will ask for next. So what is needed is taken widely:

- what was stored, stored again or read within a day stays: a conversation of today may take it up by its
  digest, and the log of today can be looked at together with it;
- what the arguments of a pending approval name stays, however old: the call would run without its input;
- what was stored since a day before the oldest pending approval was asked stays, because the agents that wait
  for it go on from there.

Where these are more than may be kept, nothing more is kept until something can go: a bound that gives way
when an agent writes fast enough would be none. What is pruned is on the audit log before it is gone.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolcrib.approvals import Approval

__all__ = ["DAY", "Entry", "Held", "entries", "held_by", "remove", "surplus"]

DAY = 86_400
_NAME = re.compile(r"([0-9a-f]{64})(?:\.json)?")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_TENANT = "tenant-"


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored file; `tenant` is empty for a result that was too large to hand over. `used` is when it was
    stored or read last, in epoch seconds.
    """

    path: Path
    tenant: str
    digest: str
    size: int
    used: float


@dataclass(frozen=True, slots=True)
class Held:
    """What stays in any case: these digests, and what was used since `since`."""

    digests: frozenset[str] = frozenset()
    since: float = math.inf


def held_by(pending: Iterable[Approval]) -> Held:
    """What pending approvals need."""
    digests, since = set[str](), math.inf
    for approval in pending:
        for arguments in (approval.arguments, approval.edit):
            digests.update(_DIGEST.findall(json.dumps(arguments, default=str)))
        since = min(since, approval.created - DAY)
    return Held(frozenset(digests), since)


def entries(folder: Path) -> list[Entry]:
    """Every stored file below `folder`, that of the earliest use first; what is none is left alone."""
    found = list(_files(folder, ""))
    with contextlib.suppress(FileNotFoundError):
        for each in folder.iterdir():
            if each.name.startswith(_TENANT) and each.is_dir() and not each.is_symlink():
                found += _files(each, each.name.removeprefix(_TENANT))
    return sorted(found, key=lambda entry: entry.used)


def _files(folder: Path, tenant: str) -> Iterator[Entry]:
    with contextlib.suppress(FileNotFoundError):
        for each in folder.iterdir():
            name = _NAME.fullmatch(each.name)
            with contextlib.suppress(FileNotFoundError):
                if name is not None and each.is_file() and not each.is_symlink():
                    stat = each.stat()
                    yield Entry(each, tenant, name[1], stat.st_size, stat.st_mtime)


def surplus(
    stored: Sequence[Entry], held: Held, *, max_age: float, max_bytes: int, now: float | None = None
) -> list[Entry]:
    """Those that go: older than `max_age` seconds, then the oldest until `max_bytes` hold the rest."""
    now = time.time() if now is None else now
    kept_since = min(now - DAY, held.since)
    loose = [each for each in stored if each.used < kept_since and each.digest not in held.digests]
    gone = [each for each in loose if each.used < now - max_age]
    total = sum(each.size for each in stored) - sum(each.size for each in gone)
    for each in loose[len(gone) :]:
        if total <= max_bytes:
            break
        gone.append(each)
        total -= each.size
    return gone


def remove(gone: Iterable[Entry], told: Callable[[list[Entry]], object]) -> list[Entry]:
    """Remove what was not used meanwhile, after `told` has been told of it; those that are gone."""
    sure = [each for each in gone if _is_unused(each)]
    if sure:
        told(sure)
    for each in sure:
        each.path.unlink(missing_ok=True)
    return sure


def _is_unused(entry: Entry) -> bool:
    try:
        return entry.path.stat().st_mtime == entry.used
    except FileNotFoundError:
        return False
