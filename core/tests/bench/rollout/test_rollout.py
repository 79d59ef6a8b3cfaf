"""Three stages, each a view of rows, one step at a time."""

from __future__ import annotations

from dataclasses import dataclass
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
    supervised = of("").promote(approvers="lead|user:dana")
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
