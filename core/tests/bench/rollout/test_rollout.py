"""Three stages, each a view of rows, one step at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from toolcrib.bench.rollout import Rollout, Stage
from toolcrib.errors import PolicyError
from toolcrib.policy import MODEL, Texts


@dataclass(frozen=True)
class Tool:
    name: str = "crm.set"
    effect: Any = "write"
    labels: frozenset[str] = frozenset()
    idempotent: bool = False
    pack: str = "crm"


ALLOW = "p, agent:a, acme, crm.set, write, True, allow\n"
REVIEW = "p2, agent:a, acme, crm.set, write, True, requester\n"
FENCE = "p, *, acme, crm.*, write, r.ctx.user == 'x', deny\n"


SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "n": {"type": "integer"}, "more": {"type": "object"}},
    "required": ["id"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Typed(Tool):
    """A tool of which the arguments are known, and that it previews nothing."""

    schema: Any = field(default_factory=lambda: SCHEMA)
    preview: Any = None


def typed(rows: str) -> Rollout:
    return Rollout(Texts(MODEL, rows), Typed(), "agent:a", "acme")


def of(rows: str, *, subject: str = "agent:a", **tool: Any) -> Rollout:
    return Rollout(Texts(MODEL, rows), Tool(**tool), subject, "acme")


@pytest.mark.parametrize(
    ("rows", "stage"),
    [
        ("", "read-only"),
        ("p, agent:a, acme, crm.*, read, True, allow\n", "read-only"),
        (ALLOW + REVIEW, "supervised"),
        (
            "p, r, acme, crm.*, *, True, allow\ng, agent:a, r, acme\np2, *, *, *, *, True, lead\n",
            "supervised",
        ),
        (ALLOW, "autonomous"),
        (ALLOW + FENCE, "autonomous"),
        (ALLOW + REVIEW.replace("True", "r.ctx.user == 'x'"), "autonomous"),
        (ALLOW + "p, *, *, crm.set, *, True, deny\n", "read-only"),
    ],
)
def test_the_stage_is_what_the_rows_amount_to(rows: str, stage: Stage) -> None:
    assert of(rows).stage == stage


def test_up_and_down_again() -> None:
    start = "# rows\n" + FENCE
    supervised = of(start).promote()
    assert supervised == "# rows\n" + FENCE + ALLOW + REVIEW
    autonomous = of(supervised).promote()
    assert autonomous == "# rows\n" + FENCE + ALLOW
    assert of(autonomous).demote() == supervised
    assert of(supervised).demote() == start


def test_approvers_and_fence_are_as_said() -> None:
    supervised = of("g, user:erin, lead, acme\n").promote(approvers="lead|user:dana")
    assert supervised.endswith("crm.set, write, True, lead|user:dana\n")
    autonomous = of(supervised).promote(fence="r.ctx.user == 'x'")
    assert "p, agent:a, acme, crm.set, write, r.ctx.user == 'x', deny" in autonomous
    assert of(autonomous).stage == "autonomous"


def test_autonomy_needs_a_fence_or_a_word() -> None:
    with pytest.raises(PolicyError, match="nothing would fence"):
        of(ALLOW + REVIEW).promote()
    assert of(ALLOW + REVIEW).promote(unfenced=True) == ALLOW


def test_a_wider_row_is_named_and_never_touched() -> None:
    wide = "p2, *, acme, crm.*, write, True, lead\n"
    with pytest.raises(PolicyError, match=r"policy\.csv:2 .* says more than that"):
        of(ALLOW + wide).promote(unfenced=True)
    with pytest.raises(PolicyError, match=r"policy\.csv:1 .* says more than that"):
        of("p, *, *, crm.set, *, True, deny\n").promote()


def test_what_wider_rows_allow_is_taken_back_by_a_deny_row() -> None:
    rows = "p, *, acme, crm.*, *, True, allow\n" + REVIEW
    text = of(rows).demote()
    assert of(text).stage == "read-only"
    assert "p, *, acme, crm.*, *, True, allow" in text
    assert of(text, subject="agent:b").stage == "autonomous", "only this subject"
    assert of(of(text).promote()).stage == "supervised", "and the way back takes the deny row out"


@pytest.mark.parametrize(
    ("rows", "method"), [(ALLOW, "promote"), ("", "demote")], ids=["above the top", "below the bottom"]
)
def test_there_is_nothing_beyond_the_ends(rows: str, method: str) -> None:
    with pytest.raises(PolicyError, match="There is no stage"):
        getattr(of(rows), method)()


def test_a_tool_that_only_reads_is_not_rolled_out() -> None:
    with pytest.raises(PolicyError, match="only reads"):
        of("", effect="read").promote()


@pytest.mark.parametrize("bad", ["nonsense(", "r.ctx.args.amount >", "true"])
def test_a_fence_that_does_not_parse_is_refused(bad: str) -> None:
    with pytest.raises(PolicyError):
        of(ALLOW + REVIEW).promote(fence=bad)


def test_approvers_that_are_none_are_refused() -> None:
    with pytest.raises(PolicyError, match="approvers"):
        of("").promote(approvers="agent:b")


def test_approvers_that_nobody_holds_are_refused() -> None:
    with pytest.raises(PolicyError, match="no user holds the approver role 'lead' in tenant acme") as refused:
        of("g, agent:a, lead, acme\ng, user:eve, lead, other\n").promote(approvers="requester|lead")
    assert "g, user:ID, lead, acme" in refused.value.remedy
    with pytest.raises(PolicyError, match="'lead'"):
        of(ALLOW).demote(approvers="lead")


def test_a_typing_error_in_approvers_gets_the_name_that_was_meant() -> None:
    with pytest.raises(PolicyError) as refused:
        of("g, user:dana, sales-lead, acme\n").promote(approvers="sales-laed")
    assert refused.value.remedy.startswith("Did you mean 'sales-lead'?")


@pytest.mark.parametrize(
    "held",
    [
        "g, user:dana, lead, acme\n",
        "g, user:dana, lead, *\n",
        "g, user:dana, head, acme\ng, head, lead, acme\n",
    ],
    ids=["here", "everywhere", "through a role"],
)
def test_approvers_that_somebody_holds_are_taken(held: str) -> None:
    assert of(of(held).promote(approvers="lead")).stage == "supervised"
    assert of(of(held + ALLOW).demote(approvers="requester|lead")).stage == "supervised"


def test_for_all_tenants_the_approvers_of_any_will_do() -> None:
    everywhere = Rollout(Texts(MODEL, "g, user:dana, lead, acme\n"), Tool(), "agent:a", "*")
    assert "p2, agent:a, *, crm.set, write, True, lead" in everywhere.promote(approvers="lead")
    with pytest.raises(PolicyError, match="in tenant \\*"):
        everywhere.promote(approvers="boss")


def test_a_row_that_freezes_is_not_taken_out_by_a_promotion() -> None:
    frozen = Texts(MODEL, "p, *, *, crm.set, *, True, deny\n")
    with pytest.raises(PolicyError, match="says more than that"):
        Rollout(frozen, Tool(), "*", "*").promote()


@pytest.mark.parametrize(
    ("fence", "why"),
    [
        (
            'has(r.ctx, "args.amount") and r.ctx.args.amount > 1000',
            "crm.set has no argument 'amount'; it has id",
        ),
        ("r.ctx.args.amount > 1000", "no argument 'amount'"),
        ('not has(r.ctx, "args.amount")', "no argument 'amount'"),
        ('r.ctx.args.n > 5 or has(r.ctx, "args.amount.cents")', "no argument 'amount'"),
        ('has(r.ctx, "before.stage") and r.ctx.before.stage == "x"', "has no preview"),
        ("False", "false for every call"),
        ("1 > 2", "false for every call"),
        ("r.ctx.tool.effect == 'send'", "false for every call"),
        ("r.ctx.tenant == 'other' and r.ctx.args.n > 5", "false for every call"),
    ],
)
def test_a_fence_that_stops_no_call_is_refused(fence: str, why: str) -> None:
    with pytest.raises(PolicyError, match=r"would never stop a call of crm\.set") as refused:
        typed(ALLOW + REVIEW).promote(fence=fence)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "fence",
    [
        "r.ctx.args.id == 'x'",
        'has(r.ctx, "args.n") and r.ctx.args.n > 1000',
        'has(r.ctx, "args.more.amount") and r.ctx.args.more.amount > 1000',
        "r.ctx.now.hour >= 20",
        " r.ctx.user == 'x' ",
    ],
)
def test_a_fence_that_some_call_meets_is_taken(fence: str) -> None:
    text = typed(ALLOW + REVIEW).promote(fence=fence)
    assert f"crm.set, write, {fence.strip()}, deny" in text
    assert typed(text).stage == "autonomous"


def test_of_a_tool_that_nobody_knows_any_argument_may_be_there() -> None:
    assert "args.amount" in of(ALLOW + REVIEW).promote(fence='has(r.ctx, "args.amount")')


def test_a_fence_that_is_always_true_leaves_nothing_to_be_autonomous() -> None:
    with pytest.raises(PolicyError, match="would not be autonomous then"):
        typed(ALLOW + REVIEW).promote(fence="True")


@pytest.mark.parametrize(
    ("when", "fences"),
    [
        ('has(r.ctx, "args.amount") and r.ctx.args.amount > 5', False),
        ('(has(r.ctx, "args.amount") and r.ctx.args.amount > 5) or r.ctx.user == "x"', True),
        ('not has(r.ctx, "args.amount")', True),
        ("r.ctx.args.amount > 5", True),
        ('has(r.ctx, "before.stage")', False),
        ("False", False),
    ],
)
def test_a_row_that_cannot_stop_this_tool_is_no_fence_for_it(when: str, fences: bool) -> None:
    rows = ALLOW + REVIEW + f"p, *, acme, crm.*, write, {when}, deny\n"
    if fences:
        assert typed(typed(rows).promote()).stage == "autonomous"
        return
    with pytest.raises(PolicyError, match="nothing would fence"):
        typed(rows).promote()


def test_the_fence_that_is_proposed_is_one() -> None:
    with pytest.raises(PolicyError) as refused:
        typed(ALLOW + REVIEW).promote()
    proposed = refused.value.remedy.split("'", 1)[1].rpartition("', or")[0]
    assert proposed == 'r.ctx.args.id == "…"'
    assert typed(typed(ALLOW + REVIEW).promote(fence=proposed)).stage == "autonomous"
