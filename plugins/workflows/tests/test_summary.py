"""The summary comes from the audit log, and says so when the log was changed."""

from __future__ import annotations

import io
import time

import pytest

from toolcrib import tool
from toolcrib.approvals import Answer
from toolcrib.testing.cribs import make_crib
from toolcrib_workflows._report import go_on_from_here, report
from toolcrib_workflows._story import Story, console_for, program
from toolcrib_workflows._summary import summarise

ROWS = """
    p, *, acme, local.look, read, True, allow
    p, *, acme, local.pay, write, r.ctx.args.amount < 100, allow
    p2, *, acme, local.pay, write, r.ctx.args.amount > 10, requester
"""


@tool(effect="read")
def look(what: str) -> str:
    """Look."""
    return what


@tool(effect="write")
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@pytest.fixture
async def told(tmp_path):
    """A crib's folder in which run r1 has made one call of each kind, and its summary."""

    async def answer(crib, me, amount, verdict, **more):
        parked = await crib.call("pay", {"amount": amount}, me)
        await crib.answer(parked.approval, Answer(verdict, "alice", time.time(), **more))
        await crib.resume(parked.approval)

    with make_crib(tmp_path, ROWS, config='[approvals]\nmode = "park"\n') as crib:
        crib.add(look, pay)
        me = crib.principal("writer", "alice", run="r1")
        await crib.call("look", {"what": "x"}, crib.principal("writer", "alice", run="r2"))
        for name, arguments in (
            ("look", {"what": "x"}),
            ("look", {}),
            ("pay", {"amount": 100}),
            ("gone", {}),
        ):
            await crib.call(name, arguments, me)
        await answer(crib, me, 20, "approve")
        await answer(crib, me, 30, "edit", edit={"amount": 31})
        await answer(crib, me, 40, "reject", note="too much")
        await crib.call("pay", {"amount": 50}, me)
    return tmp_path / ".toolcrib" / "audit", summarise(tmp_path / ".toolcrib" / "audit", "r1")


def printed(summary):
    page = io.StringIO()
    report(Story(console_for(page)), summary)
    return page.getvalue()


async def test_each_call_is_counted_once_by_how_it_ended(told):
    _, summary = told
    assert [call.status for call in summary.calls] == [
        "done", "invalid", "denied", "unknown", "done", "done", "rejected", "pending"
    ]  # fmt: skip
    assert summary.counts["done"] == 3


async def test_approvals_have_their_approver_and_their_edit(told):
    _, summary = told
    approved, edited = (call for call in summary.calls if call.approver)
    assert (approved.approver, approved.edited) == (("alice",), ())
    assert (edited.approver, edited.edited) == (("alice",), ("amount",))
    assert [answer["verdict"] for answer in summary.answers] == ["approve", "edit", "reject"]


async def test_the_report_says_all_of_it(told):
    text = " ".join(printed(told[1]).split())
    for words in (
        "asked 8 calls by 1 agents",
        "allowed 3 local.look, local.pay",
        "denied 1 local.pay, asked by writer: no row allows it",
        "unknown 1 gone, asked by writer",
        "rejected 1 local.pay, asked by writer, by alice",
        "waiting 1 local.pay, asked by writer",
        "approved 1 local.pay by alice",
        "local.pay by alice, with an edit of amount",
        f"The log verifies: {told[1].records} records",
    ):
        assert words in text, text


async def test_a_changed_log_is_told(told):
    folder, _ = told
    segment = folder / "000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"amount":20', b'"amount":21'))
    summary = summarise(folder, "r1")
    assert summary.problem
    assert "The log does not verify" in printed(summary)
    assert summary.as_json()["log"]["ok"] is False


async def test_the_json_has_the_same(told):
    data = told[1].as_json()
    assert (data["run"], data["asked"], data["by_status"]["done"]) == ("r1", 8, 3)


def test_commands_to_go_on_with_are_whole_lines():
    page = io.StringIO()
    folder = "a rather long folder name/with spaces " + "x" * 80
    go_on_from_here(Story(console_for(page)), f"{folder}/toolcrib.toml", "r1", "toolcrib demo --dir x")
    assert f"{program()} -c '{folder}/toolcrib.toml' audit show -n 50 --run r1\n" in page.getvalue()
