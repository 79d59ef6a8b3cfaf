"""A human in the way of the call: approve, edit, reject, expire, park, resume, and what changes meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from toolcrib import Crib, Preview, ToolCall, Toolkit, tool
from toolcrib.approvals import Answer, Review
from toolcrib.errors import CallDenied, CallRefused


class Scripted:
    """A channel that answers from a list; an entry may be a function of the review."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Review] = []

    async def ask(self, review: Review) -> Answer | None:
        self.asked.append(review)
        answer = self.answers.pop(0) if self.answers else None
        return answer(review) if callable(answer) else answer


def yes(by: str = "dana") -> Answer:
    return Answer("approve", by, time.time())


def no(by: str = "dana", note: str = "") -> Answer:
    return Answer("reject", by, time.time(), note)


def edit(by: str = "dana", **arguments: Any) -> Answer:
    return Answer("edit", by, time.time(), "", arguments)


class Shop(Toolkit):
    def __init__(self) -> None:
        self.price = 10
        self.orders: list[int] = []

    @tool(effect="read")
    async def get_item(self, item: str) -> dict[str, Any]:
        """One item."""
        return {"item": item, "price": self.price}

    @tool(effect="write", preview=Preview("get_item", item="item"))
    async def order(self, item: str, count: int) -> str:
        """Order."""
        self.orders.append(count)
        return f"ordered {count}"


ROWS = """
p, *, acme, local.*, *, True, allow
p, *, acme, local.order, write, r.ctx.args.count > 100, deny
p2, *, acme, local.order, write, True, lead
g, user:dana, lead, acme
g, user:erin, lead, acme
"""
ORDER = {"item": "bolt", "count": 5}


async def test_approve(make: Any, log: Any) -> None:
    shop, channel = Shop(), Scripted(yes())
    crib = make(ROWS, shop, channels=[channel])
    result = await crib.call("order", ORDER, crib.principal("a", "alice"), reason="stock is low")
    assert (result.status, result.value, shop.orders) == ("done", "ordered 5", [5])
    shown = channel.asked[0].approval
    assert shown.before == {"item": "bolt", "price": 10}
    assert shown.reason == "stock is low"
    assert [(r["action"], r.get("verdict")) for r in log("approval")] == [
        ("requested", None),
        ("answered", "approve"),
    ]
    intent = next(r for r in log("intent") if "preview_of" not in r)
    assert intent["approver"] == ["dana"]
    assert intent["approval"] == shown.id == result.approval
    assert crib.state.get_approval(shown.id).status == "used"


async def test_reject(make: Any) -> None:
    shop = Shop()
    crib = make(ROWS, shop, channels=[Scripted(no(note="too many"))])
    result = await crib.call("order", ORDER, crib.principal("a", "alice"))
    assert (result.status, shop.orders) == ("rejected", [])
    assert "too many" in result.text


async def test_edit_is_validated_decided_and_run_as_edited(make: Any, log: Any) -> None:
    shop = Shop()
    crib = make(ROWS, shop, channels=[Scripted(edit(item="bolt", count=2))])
    me = crib.principal("a", "alice")
    result = await crib.call("order", ORDER, me, idempotency_key="k")
    assert (result.status, shop.orders) == ("done", [2])
    intent = next(r for r in log("intent") if "preview_of" not in r)
    assert intent["arguments"]["count"] == 2
    assert intent["edited"] == {"asked": {"item": "bolt", "count": 5}}
    assert result.text.startswith("ordered 2\n[a human changed the arguments; what ran was")
    again = await crib.call("order", ORDER, me, idempotency_key="k")
    assert (again.status, again.value, again.text, shop.orders) == ("done", "ordered 2", result.text, [2])


async def test_an_edit_that_policy_denies_is_denied(make: Any) -> None:
    shop = Shop()
    crib = make(ROWS, shop, channels=[Scripted(edit(item="bolt", count=101))])
    assert (await crib.call("order", ORDER, crib.principal("a", "alice"))).status == "denied"
    assert shop.orders == []


async def test_an_edit_that_does_not_fit_is_refused(make: Any) -> None:
    shop = Shop()
    crib = make(ROWS, shop, channels=[Scripted(edit(item="bolt", count="many"))])
    assert (await crib.call("order", ORDER, crib.principal("a", "alice"))).status == "invalid"
    assert shop.orders == []


@pytest.mark.parametrize("by", ["mallory", "alice"])
async def test_somebody_who_may_not_answer_cannot(make: Any, log: Any, by: str) -> None:
    shop = Shop()
    crib = make(ROWS, shop, channels=[Scripted(yes(by))])
    result = await crib.call("order", ORDER, crib.principal("a", "alice"))
    assert (result.status, shop.orders) == ("denied", [])
    assert "answer refused" in [r["action"] for r in log("approval")]


async def test_the_requester_counts_only_where_named(make: Any) -> None:
    rows = ROWS.replace("True, lead", "True, requester|lead")
    shop = Shop()
    crib = make(rows, shop, channels=[Scripted(yes("alice"))])
    assert (await crib.call("order", ORDER, crib.principal("a", "alice"))).status == "done"


async def test_every_row_needs_its_person(make: Any) -> None:
    rows = ROWS + "p2, *, acme, local.order, write, r.ctx.args.count > 3, user:frank\n"
    shop, channel = Shop(), Scripted(yes("dana"), yes("frank"))
    crib = make(rows, shop, channels=[channel])
    assert (await crib.call("order", ORDER, crib.principal("a", "alice"))).status == "done"
    assert len(channel.asked) == 2
    small = Scripted(yes("dana"))
    crib.executor.reviewer._channels = (small,)
    assert (
        await crib.call("order", {"item": "bolt", "count": 2}, crib.principal("a", "alice"))
    ).status == "done"
    assert len(small.asked) == 1


async def test_a_changed_record_reopens_the_review(make: Any, log: Any) -> None:
    shop = Shop()

    def answer_after_change(review: Review) -> Answer:
        shop.price = 99
        return yes()

    channel = Scripted(answer_after_change, yes())
    crib = make(ROWS, shop, channels=[channel])
    result = await crib.call("order", ORDER, crib.principal("a", "alice"))
    assert (result.status, shop.orders) == ("done", [5])
    assert [review.approval.before["price"] for review in channel.asked] == [10, 99]  # type: ignore[index]
    assert "reopened" in [r["action"] for r in log("approval")]


async def test_a_deny_that_comes_while_waiting_wins(make: Any, tmp_path: Any) -> None:
    shop = Shop()
    policy = tmp_path / "policies" / "policy.csv"

    def deny_meanwhile(review: Review) -> Answer:
        policy.write_text(policy.read_text() + "p, agent:a, acme, local.order, write, True, deny\n")
        crib.reload()
        return yes()

    crib: Crib = make(ROWS, shop, channels=[Scripted(deny_meanwhile)])
    result = await crib.call("order", ORDER, crib.principal("a", "alice"))
    assert (result.status, shop.orders) == ("denied", [])
    assert [approval.status for approval in crib.state.list_approvals()] == ["superseded"]


async def test_a_new_requirement_that_comes_while_waiting_waits_for_its_own_person(
    make: Any, tmp_path: Any
) -> None:
    shop = Shop()
    policy = tmp_path / "policies" / "policy.csv"

    def demand_more(review: Review) -> Answer:
        policy.write_text(policy.read_text() + "p2, *, acme, local.order, write, True, user:frank\n")
        crib.reload()
        return yes("dana")

    channel = Scripted(demand_more, yes("frank"))
    crib: Crib = make(ROWS, shop, channels=[channel])
    result = await crib.call("order", ORDER, crib.principal("a", "alice"))
    assert (result.status, shop.orders, len(channel.asked)) == ("done", [5], 2)


async def test_a_quota_that_fills_while_waiting_refuses(make: Any) -> None:
    shop = Shop()
    rows = ROWS + "p3, *, acme, local.order, 1/hour per user\n"
    crib: Crib = make(rows, shop, channels=[Scripted(yes(), yes())])
    me = crib.principal("a", "alice")
    first, second = await asyncio.gather(
        crib.call("order", ORDER, me), crib.call("order", {"item": "nut", "count": 1}, me)
    )
    assert sorted((first.status, second.status)) == ["done", "limited"]
    assert len(shop.orders) == 1


async def test_an_expiry_is_never_a_yes(make: Any) -> None:
    shop = Shop()
    crib: Crib = make(ROWS, shop, config='[approvals]\nexpires = "0.05s"\n')
    result = await crib.call("order", ORDER, crib.principal("a", "alice"))
    assert (result.status, shop.orders) == ("expired", [])


PARK = '[approvals]\nmode = "park"\n'


async def test_park_answer_resume_runs_once(make: Any, log: Any) -> None:
    shop = Shop()
    crib: Crib = make(ROWS, shop, config=PARK)
    me = crib.principal("a", "alice")
    call = ToolCall("order", ORDER, me, idempotency_key="k", model="m-1", prompt_version="v3")
    parked = await crib.execute(call)
    assert parked.status == "pending"
    assert parked.approval is not None and parked.approval in parked.text
    asked_again = await crib.call("order", ORDER, me, idempotency_key="k")
    assert (asked_again.status, asked_again.approval) == ("pending", parked.approval)
    await crib.answer(parked.approval, yes())
    resumed = await crib.resume(parked.approval)
    assert (resumed.status, shop.orders) == ("done", [5])
    repeated = await crib.resume(parked.approval)
    assert (repeated.status, repeated.value, shop.orders) == ("done", "ordered 5", [5])
    assert [r["status"] for r in log("refusal")] == ["pending", "pending"]
    intent = next(r for r in log("intent") if "preview_of" not in r)
    assert (intent["model"], intent["prompt_version"]) == ("m-1", "v3")


@pytest.mark.parametrize(
    ("answer", "status", "orders"), [(no(), "rejected", []), (edit(item="bolt", count=1), "done", [1])]
)
async def test_park_then_reject_or_edit(make: Any, answer: Answer, status: str, orders: list[int]) -> None:
    shop = Shop()
    crib: Crib = make(ROWS, shop, config=PARK)
    parked = await crib.call("order", ORDER, crib.principal("a", "alice"))
    assert parked.approval
    await crib.answer(parked.approval, answer)
    resumed = await crib.resume(parked.approval)
    assert (resumed.status, shop.orders) == (status, orders)


async def test_a_parked_call_resumes_in_another_crib(make: Any) -> None:
    crib: Crib = make(ROWS, Shop(), config=PARK)
    parked = await crib.call("order", ORDER, crib.principal("a", "alice"))
    assert parked.approval
    shop = Shop()
    later: Crib = make(ROWS, shop, config=PARK)
    await later.answer(parked.approval, yes("erin"))
    assert (await later.resume(parked.approval)).status == "done"
    assert shop.orders == [5]


async def test_a_changed_tool_needs_a_new_approval(make: Any) -> None:
    crib: Crib = make(ROWS, Shop(), config=PARK)
    parked = await crib.call("order", ORDER, crib.principal("a", "alice"))
    assert parked.approval
    await crib.answer(parked.approval, yes())
    crib.remove("order")
    ran: list[int] = []

    @tool(effect="write")
    async def order(item: str, count: int) -> str:
        """Order, but now it does something else."""
        ran.append(count)
        return "changed"

    crib.add(order)
    resumed = await crib.resume(parked.approval)
    assert (resumed.status, ran) == ("pending", [])
    assert resumed.approval != parked.approval


async def test_one_approval_is_good_for_one_call(make: Any) -> None:
    shop = Shop()
    crib: Crib = make(ROWS, shop, config=PARK)
    me = crib.principal("a", "alice")
    parked = await crib.call("order", ORDER, me)
    assert parked.approval
    await crib.answer(parked.approval, yes())
    await crib.resume(parked.approval)
    other = await crib.call("order", ORDER, me)
    assert other.status == "pending"
    assert other.approval != parked.approval
    assert shop.orders == [5]


async def test_an_answer_from_elsewhere_ends_the_question_here(make: Any) -> None:
    shop = Shop()
    asked, cancelled = asyncio.Event(), asyncio.Event()

    class Forever:
        async def ask(self, review: Review) -> Answer | None:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return None

    crib: Crib = make(ROWS, shop, channels=[Forever()])
    call = asyncio.ensure_future(crib.call("order", ORDER, crib.principal("a", "alice")))
    await asked.wait()
    (approval,) = crib.state.list_approvals(status="pending")
    await crib.answer(approval.id, yes())
    assert (await call).status == "done"
    assert cancelled.is_set()


async def test_the_watcher_learns_what_waits(make: Any) -> None:
    crib: Crib = make(ROWS, Shop())
    waits: asyncio.Queue[Any] = asyncio.Queue()
    call = asyncio.ensure_future(
        crib.call("order", ORDER, crib.principal("a", "alice"), watch=waits.put_nowait)
    )
    approval = await waits.get()
    await crib.answer(approval.id, yes())
    assert (await call).status == "done"


async def test_a_caller_that_goes_away_withdraws_the_question(make: Any, log: Any) -> None:
    crib: Crib = make(ROWS, Shop())
    waits: asyncio.Queue[Any] = asyncio.Queue()
    call = asyncio.ensure_future(
        crib.call("order", ORDER, crib.principal("a", "alice"), watch=waits.put_nowait)
    )
    approval = await waits.get()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert crib.state.get_approval(approval.id).status == "superseded"
    assert log("refusal")[-1]["status"] == "cancelled"
    with pytest.raises(CallRefused):
        await crib.answer(approval.id, yes())


async def test_answer_checks_who_answers(make: Any) -> None:
    crib: Crib = make(ROWS, Shop(), config=PARK)
    parked = await crib.call("order", ORDER, crib.principal("a", "alice"))
    assert parked.approval
    with pytest.raises(CallDenied):
        await crib.answer(parked.approval, yes("mallory"))
    assert crib.state.get_approval(parked.approval).status == "pending"


async def test_an_agent_cannot_bury_its_approvers(make: Any) -> None:
    crib: Crib = make(ROWS, Shop(), config=PARK + "[limits]\npending = 3\n")
    flooder, other = crib.principal("a", "alice"), crib.principal("b", "alice")
    statuses = [(await crib.call("order", {"item": str(n), "count": 1}, flooder)).status for n in range(5)]
    assert statuses == ["pending"] * 3 + ["limited"] * 2
    assert (await crib.call("order", ORDER, other)).status == "pending"
    first = crib.state.list_approvals(status="pending")[0]
    await crib.answer(first.id, no())
    assert (await crib.call("order", {"item": "x", "count": 1}, flooder)).status == "pending"
