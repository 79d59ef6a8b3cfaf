"""The record as it stands: policy and approver see it, the agent never does."""

from __future__ import annotations

from typing import Any

import pytest

from toolcrib import Preview, Toolkit, tool
from toolcrib.errors import VendorRefused

SECRET_STAGE = "Closed Won"


class Deals(Toolkit):
    def __init__(self, stage: str = "Open") -> None:
        self.stage = stage
        self.looked = 0
        self.ran: list[str] = []

    @tool(effect="read")
    async def get_deal(self, deal_id: str, detail: str = "short") -> dict[str, Any]:
        """One deal."""
        self.looked += 1
        if deal_id == "gone":
            raise VendorRefused("no such deal")
        if deal_id == "list":
            return [1]  # type: ignore[return-value]
        if deal_id == "exit":
            raise SystemExit
        return {"id": deal_id, "stage": self.stage, "detail": detail}

    @tool(effect="write", preview=Preview("get_deal", given={"detail": "long"}, deal_id="deal"))
    async def set_stage(self, deal: str, stage: str) -> str:
        """Set the stage."""
        self.ran.append(deal)
        self.stage = stage
        return "set"

    @tool(effect="write", preview=Preview("set_stage", deal="deal"))
    async def odd(self, deal: str) -> str:
        """Names a preview that is no read."""
        return "never"


ROWS = """
p, *, acme, local.*, *, True, allow
p, *, acme, local.set_stage, write, r.ctx.before.stage == 'Closed Won', deny
p, *, acme, local.odd, write, r.ctx.before.stage == 'x', deny
"""


async def test_a_row_that_reads_before_looks_first(make: Any, log: Any) -> None:
    deals = Deals()
    crib = make(ROWS, deals)
    me = crib.principal("a", "alice")
    assert (await crib.call("set_stage", {"deal": "d1", "stage": SECRET_STAGE}, me)).status == "done"
    result = await crib.call("set_stage", {"deal": "d1", "stage": "Open"}, me)
    assert result.status == "denied"
    assert SECRET_STAGE not in result.text and "before" not in result.text
    assert deals.ran == ["d1"]
    assert deals.looked == 2
    records = log("intent", "outcome")
    assert [(r["kind"], r["tool"], "preview_of" in r) for r in records[:4]] == [
        ("intent", "local.get_deal", True),
        ("outcome", "local.get_deal", True),
        ("intent", "local.set_stage", False),
        ("outcome", "local.set_stage", False),
    ]
    assert records[0]["arguments"] == {"deal_id": "d1", "detail": "long"}
    refusal = log("refusal")[0]
    assert refusal["inputs"]["before.stage"] == SECRET_STAGE
    assert refusal["preview_digest"]


async def test_no_preview_is_made_when_no_row_needs_it(make: Any) -> None:
    deals = Deals()
    crib = make("p, *, acme, local.*, *, True, allow", deals)
    await crib.call("set_stage", {"deal": "d1", "stage": "x"}, crib.principal("a"))
    assert deals.looked == 0


async def test_a_certain_deny_ends_before_anything_is_looked_at(make: Any) -> None:
    deals = Deals()
    crib = make(ROWS + "p, agent:a, acme, local.set_stage, write, r.ctx.args.stage == 'y', deny", deals)
    result = await crib.call("set_stage", {"deal": "d1", "stage": "y"}, crib.principal("a"))
    assert (result.status, deals.looked) == ("denied", 0)


@pytest.mark.parametrize("deal", ["gone", "list", "exit"])
async def test_a_preview_that_fails_denies_and_is_recorded(make: Any, log: Any, deal: str) -> None:
    deals = Deals()
    crib = make(ROWS, deals)
    result = await crib.call("set_stage", {"deal": deal, "stage": "x"}, crib.principal("a"))
    assert result.status == "denied"
    assert deals.ran == []
    assert [(r["kind"], r["status"]) for r in log("outcome", "refusal")] == [
        ("outcome", "failed"),
        ("refusal", "denied"),
    ]


async def test_a_preview_must_be_a_read_of_the_same_pack(make: Any) -> None:
    crib = make(ROWS, Deals())
    result = await crib.call("odd", {"deal": "d1"}, crib.principal("a"))
    assert result.status == "unavailable"
    assert "not a read tool of its pack" in result.text


async def test_a_tool_without_preview_is_denied_by_a_row_that_reads_before(make: Any) -> None:
    @tool(effect="write")
    async def blind(x: int) -> str:
        """Blind."""
        return "ran"

    unguarded = (
        "p, *, acme, local.*, *, True, allow\np, *, acme, local.blind, write, r.ctx.before.stage == 'x', deny"
    )
    crib = make(unguarded, blind)
    assert (await crib.call("blind", {"x": 1}, crib.principal("a"))).status == "denied"


async def test_a_guarded_row_lets_a_tool_without_preview_through(make: Any) -> None:
    @tool(effect="write")
    async def blind(x: int) -> str:
        """Blind."""
        return "ran"

    rows = """
    p, *, acme, local.*, *, True, allow
    p, *, acme, local.blind, write, has(r.ctx, 'before.stage') and r.ctx.before.stage == 'x', deny
    """
    crib = make(rows, blind)
    assert (await crib.call("blind", {"x": 1}, crib.principal("a"))).status == "done"
