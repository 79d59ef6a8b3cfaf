"""All checks of a pack, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from toolcrib.errors import ToolcribError
from toolcrib.testing import _pack_calls as calls
from toolcrib.testing import _pack_ends as ends
from toolcrib.testing import _pack_reads as reads
from toolcrib.testing import _pack_shapes as shapes
from toolcrib.testing._pack_outcome import Outcome
from toolcrib.testing._pack_policy import check_policy
from toolcrib.testing._pack_ready import ready
from toolcrib.testing._pack_secrets import check_secrets
from toolcrib.testing._pack_stand import Skip, Stand, Unfit, opened
from toolcrib.testing._pack_vendor import check_errors

if TYPE_CHECKING:
    from toolcrib.testing.conformance import PackConformance

__all__ = ["CHECKS", "Outcome", "check_pack", "run_check"]

Check: TypeAlias = Callable[[Stand], Awaitable[Iterable[str]]]

CHECKS: dict[str, Check] = {
    "schemas": shapes.check_schemas,
    "descriptions": shapes.check_descriptions,
    "effects": shapes.check_effects,
    "labels": shapes.check_labels,
    "targets": shapes.check_targets,
    "calls": calls.check_calls,
    "reads": reads.check_reads,
    "idempotency": calls.check_idempotency,
    "preview": reads.check_preview,
    "bad_arguments": calls.check_bad_arguments,
    "timeouts": ends.check_timeouts,
    "cancellation": ends.check_cancellation,
    "paging": reads.check_paging,
    "errors": check_errors,
    "secrets": check_secrets,
    "policy": check_policy,
}
"""Every check by name, in the order in which they are made; each on a pack that was opened anew."""


async def run_check(suite: PackConformance, name: str) -> Outcome:
    """One check, on the pack opened in a new folder."""
    try:
        async with opened(suite) as stand:
            found = list(dict.fromkeys(await CHECKS[name](stand)))
    except Skip as skip:
        return Outcome(name, "skipped", reason=str(skip))
    except Unfit as unfit:
        found = [str(unfit)]
    except ToolcribError as error:
        return Outcome(name, "failed", (f"the pack cannot be opened: {error}",))
    problems, excused = _excuse(suite, name, found)
    return Outcome(name, "failed" if problems else "passed", problems, excused=excused)


def _excuse(suite: PackConformance, check: str, found: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split off what the suite excuses; an excuse for nothing is a problem itself, or it would hide the next
    one.
    """
    problems, excused, used = [], [], set()
    for problem in found:
        key = (check, problem.partition(":")[0].rpartition(".")[2])
        if reason := suite.excuses.get(key):
            used.add(key)
            excused.append(f"{problem} (excused: {reason})")
        else:
            problems.append(problem)
    idle = [key for key in suite.excuses if key[0] == check and key not in used]
    problems += [f"{name}: there is nothing to excuse in {check!r} any more" for _, name in idle]
    return tuple(problems), tuple(excused)


def check_pack(
    suite: PackConformance, told: Callable[[Outcome], None] = lambda outcome: None
) -> list[Outcome]:
    """Every check; `told` hears of each as it ends. `PackError` where the suite lacks what it needs."""
    outcomes = []
    with ready(suite):
        for name in CHECKS:
            outcomes.append(asyncio.run(run_check(suite, name)))
            told(outcomes[-1])
    return outcomes
