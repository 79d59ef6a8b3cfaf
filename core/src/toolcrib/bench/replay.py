"""Past calls against another policy: which of them would now go another way?

The audit log keeps what each call was and how it was decided. Roles, rows and quotas come from the new
policy; arguments and what conditions read come from the record; labels are those that the log saw the
session read before the call; `now` is when it was decided then. What the log does not keep is *unknown* and
counted as such, never guessed. Quotas are not counted again: a call under other p3 rows is only noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from toolcrib.bench._asked import Judge, ToolFacts, facts_of_tools
from toolcrib.bench._scan import Filters, Piece, Seen, decided, labelled, merge_seen, pieces
from toolcrib.bench._ways import WAYS, Group, Sample, Tally, Way
from toolcrib.errors import AuditError, ConfigError
from toolcrib.policy import Policy
from toolcrib.policy._files import read_text
from toolcrib.policy._policy import MODEL_FILE, POLICY_FILE

__all__ = [
    "WAYS",
    "Filters",
    "Group",
    "Progress",
    "Replay",
    "Sample",
    "Tally",
    "ToolFacts",
    "Way",
    "facts_of_tools",
    "replay",
]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how many bytes of it are done, and how many there are."""

SMALL = 4
"""Pieces of log for which a second process costs more than it brings."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found: `revision` of the policy that was tried, and whether the log was `verified`."""

    revision: str
    verified: bool
    tally: Tally


def replay(
    log: Path,
    policy: Path,
    *,
    tools: Mapping[str, ToolFacts] | None = None,
    filters: Filters | None = None,
    samples: int = 3,
    verify: bool = True,
    processes: int = 1,
    progress: Progress | None = None,
) -> Replay:
    """Decide the calls of the audit log in folder `log` again by the policy in folder `policy`.

    `tools` are the installed ones (`facts_of_tools`); of others it is unknown whether they have a preview.
    `samples` calls are kept of each group. Raises `AuditError` for a log that does not verify, and
    `PolicyError` for a policy that does not load.
    """
    texts = read_text(policy / MODEL_FILE), read_text(policy / POLICY_FILE)
    job = _Job(*texts, tools or {}, filters or Filters(), samples)
    loaded = Policy.of(*texts)
    tell = progress or _ignore
    todo = pieces(log)
    if verify:
        _verify(log, tell)
    with _workers(processes if len(todo) > SMALL else 1) as run:
        seen = _seen(todo, loaded, run, tell)
        tally = Tally()
        for part in _told(run(todo, (job, seen)), todo, "replaying", tell):
            tally.merge(part, samples)
    return Replay(loaded.revision, verify, tally)


def _ignore(what: str, done: int, total: int) -> None:
    """Nobody watches."""


def _verify(log: Path, tell: Progress) -> None:
    from toolcrib.audit import verify

    found = verify(log, progress=lambda done, total: tell("verifying", done, total))
    if found.problem is not None:
        raise AuditError(
            f"the log was changed: {found.problem.what} in {found.problem.place}: {found.problem.detail}",
            rule="a replay of a log that somebody has changed shows what they want to be seen",
            remedy="Run `toolcrib audit verify`; to replay it all the same, say --no-verify",
        )


def _seen(todo: Sequence[Piece], policy: Policy, run: _Run, tell: Progress) -> Seen | None:
    """What each session has read, looked up only for a policy that asks."""
    if not any("labels" in value for row in policy.rows if row.kind != "g" for value in row.values):
        return None
    seen: Seen = {}
    for part in _told(run(todo, None), todo, "reading labels", tell):
        merge_seen(seen, part)
    return seen


def _told(parts: Iterable[Any], todo: Sequence[Piece], what: str, tell: Progress) -> Iterator[Any]:
    done, total = 0, sum(piece.size for piece in todo)
    for piece, part in zip(todo, parts, strict=True):
        yield part
        done += piece.size
        tell(what, done, total)


# --- in each process --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Job:
    model: str
    rows: str
    tools: Mapping[str, ToolFacts]
    filters: Filters
    samples: int


class _Counter:
    """Counts the calls of one piece after the other."""

    def __init__(self, job: _Job, seen: Seen | None) -> None:
        self._judge = Judge(Policy.of(job.model, job.rows), job.tools)
        self._filters, self._samples, self._seen = job.filters, job.samples, seen

    def count(self, piece: Piece) -> Tally:
        tally = Tally()
        for record in decided(piece, self._filters):
            if "decision" not in record or "open" in record or "effect" not in record:
                tally.undecided += 1
                continue
            try:
                now = self._judge.decide(record, self._labels(record))
            except ConfigError:  # an id that no call can have: the record is not Toolcrib's
                tally.undecided += 1
                continue
            tally.count(record, now, self._samples)
        return tally

    def _labels(self, record: Mapping[str, Any]) -> frozenset[str] | None:
        if self._seen is None:
            return None
        seen = self._seen.get((record["tenant"], record["session"]))
        if seen is None:
            return _NONE
        return frozenset(label for label, seq in seen.items() if seq < record["seq"])


_NONE: frozenset[str] = frozenset()
_Given: TypeAlias = "tuple[_Job, Seen | None] | None"
_Run: TypeAlias = Callable[[Sequence[Piece], _Given], Iterable[Any]]
"""Counts the calls of each piece, or without a job reads what its sessions have read; results in order."""

_worker: list[Callable[[Piece], Any]] = []
"""What a process of its own does with each piece."""


def _begin(given: _Given) -> None:
    _worker[:] = [_work(given)]


def _do(piece: Piece) -> Any:
    return _worker[0](piece)


def _work(given: _Given) -> Callable[[Piece], Any]:
    return labelled if given is None else _Counter(*given).count


def _here(todo: Sequence[Piece], given: _Given) -> Iterable[Any]:
    return map(_work(given), todo)


@contextmanager
def _workers(processes: int) -> Iterator[_Run]:
    """The work, done here or in processes of their own."""
    if processes < 2:
        yield _here
        return
    import multiprocessing

    pools = []

    def run(todo: Sequence[Piece], given: _Given) -> Iterable[Any]:
        # spawn: a fork would copy whatever locks other threads of this process hold just now.
        pool = multiprocessing.get_context("spawn").Pool(processes, _begin, (given,))
        pools.append(pool)
        return pool.imap(_do, todo)

    try:
        yield run
    finally:
        for pool in pools:
            pool.terminate()
            pool.join()
