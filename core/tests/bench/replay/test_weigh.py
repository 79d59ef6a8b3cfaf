"""Deciding with gaps: without one it is the policy's own decision, and a gap never makes one up."""

from __future__ import annotations

import itertools
import random

from toolcrib.bench._known import Known
from toolcrib.bench._weigh import weigh
from toolcrib.bench.tools import NamedTool
from toolcrib.policy import Facts, Policy
from toolcrib.policy._model import MODEL
from toolcrib.principal import Principal

TOOL = NamedTool("crm.act", "write")
WHO = ["*", "r1", "user:u", "agent:a", "user:v"]
WHEN = [
    "True",
    "r.ctx.args.x == 1",
    'has(r.ctx, "args.y") and r.ctx.args.y > 1',
    "r.ctx.args.y > 1",
    '"l" in r.ctx.labels',
    'r.ctx.before.s == "w"',
    'has(r.ctx, "before.s") and r.ctx.before.s == "w"',
]
ARGUMENTS = [dict(zip("xy", values, strict=True)) for values in itertools.product((1, 2), (1, 2, None, "t"))]
FACTS = [
    Facts(arguments, labels, before)
    for arguments in (*ARGUMENTS, {})
    for labels in (frozenset[str](), frozenset({"l"}))
    for before in (None, {"s": "w"}, {"s": "o"}, {})
]
HMAC = {"hmac": "ab", "key": "cd"}


def policies(count: int) -> list[Policy]:
    draw = random.Random(5)
    found = []
    for _ in range(count):
        rows = ["g, user:u, r1, t"]
        for _ in range(draw.randint(2, 5)):
            eft = "deny" if draw.random() < 0.3 else "allow"
            rows.append(f"p, {draw.choice(WHO)}, t, crm.*, *, {draw.choice(WHEN)}, {eft}")
        for _ in range(draw.randint(0, 2)):
            rows.append(f"p2, {draw.choice(WHO)}, t, crm.act, *, {draw.choice(WHEN)}, lead")
        found.append(Policy.of(MODEL, "\n".join([*rows, "p, agent:a, t, crm.*, *, True, allow"])))
    return found


WRITER = Principal("a", "u", "t")


def test_with_all_facts_it_is_the_decision_itself() -> None:
    seen = set()
    for policy in policies(60):
        candidates = policy.candidates(WRITER, TOOL)
        for facts in FACTS:
            now, then = weigh(candidates, WRITER, TOOL, facts), policy.decide(candidates, facts)
            assert (now.verdict, set(now.reviews)) == (then.verdict, set(then.reviews))
            seen.add(now.verdict)
    assert seen == {"allow", "review", "deny"}


def test_a_verdict_despite_a_gap_is_that_of_whatever_fills_it() -> None:
    certain = uncertain = 0
    for policy in policies(60):
        candidates = policy.candidates(WRITER, TOOL)
        for x in (1, 2):
            gap = Known("args", {"x": x, "y": HMAC}, {}, is_whole=True)
            now = weigh(candidates, WRITER, TOOL, Facts(gap, before=Known("before", {}, {}, is_whole=False)))
            verdicts = {
                policy.decide(candidates, Facts({"x": x} | y, before=before)).verdict
                for y in ({}, {"y": 1}, {"y": 2}, {"y": None}, {"y": "t"})
                for before in (None, {"s": "w"}, {"s": "o"}, {})
            }
            if now.verdict is None:
                uncertain += 1
                assert set(now.missing) <= {"args.y", "before.s"}
            else:
                certain += 1
                assert verdicts == {now.verdict}
    assert certain > 20 and uncertain > 20
