"""What a record says of a call whose names, texts and arguments an attacker chose."""

from __future__ import annotations

from typing import Any

import pytest

from toolcrib import Preview, ToolCall, Toolkit, tool

ALLOW = "p, *, acme, local.*, *, True, allow"
HALF = "\ud800"
"""Half a surrogate pair: `json.loads` makes it of a model's "\\ud800", and UTF-8 cannot hold it."""


@tool(effect="read")
async def look(note: str = "") -> str:
    """Look."""
    return "seen"


@pytest.mark.parametrize(
    ("given", "status", "kinds"),
    [
        ({"tool": f"no{HALF}"}, "unknown", ["refusal"]),
        ({"call_id": f"call{HALF}"}, "done", ["intent", "outcome"]),
        ({"reason": HALF}, "done", ["intent", "outcome"]),
        ({"model": HALF, "prompt_version": HALF}, "done", ["intent", "outcome"]),
        ({"arguments": {"note": HALF}}, "invalid", ["refusal"]),
    ],
)
async def test_text_that_no_file_can_hold_does_not_keep_a_call_off_the_log(
    make: Any, log: Any, given: dict[str, Any], status: str, kinds: list[str]
) -> None:
    crib = make(ALLOW, look)
    call = {"tool": "local.look", "arguments": {}, "principal": crib.principal("a", "alice"), **given}
    assert (await crib.execute(ToolCall(**call))).status == status
    assert [record["kind"] for record in log()] == kinds


async def test_a_key_that_no_file_can_hold_is_refused_on_the_log(make: Any, log: Any) -> None:
    @tool(effect="write")
    async def act() -> str:
        """Act."""
        return "ok"

    crib = make(ALLOW, act)
    result = await crib.call("act", {}, crib.principal("a", "alice"), idempotency_key=HALF)
    assert result.status == "unavailable"
    (record,) = log()
    assert (record["kind"], record["status"]) == ("refusal", "unavailable")


@pytest.mark.parametrize("arguments", [{"note": "x" * 300_000}, {"note": float("nan")}, None, [1]])
async def test_arguments_that_cannot_be_kept_are_not_recorded_as_none(
    make: Any, log: Any, arguments: Any
) -> None:
    crib = make(ALLOW, look)
    await crib.execute(ToolCall("local.look", arguments, crib.principal("a", "alice")))
    await crib.call("local.look", {}, crib.principal("a", "alice"))
    refused, asked = log("refusal", "intent")
    assert refused["arguments"] == {"unreadable": True}
    assert asked["arguments"] == {"note": ""}


async def test_arguments_that_were_never_checked_are_marked(make: Any, log: Any) -> None:
    crib = make("p, user:alice, acme, local.*, *, True, allow", look)
    await crib.call("local.look", {"note": 7}, crib.principal("a", "alice"))
    crib = make(ALLOW, look)
    await crib.call("local.look", {"note": "7"}, crib.principal("a", "alice"))
    denied, asked = log("refusal", "intent")
    assert (denied["decision"], denied["arguments"], denied["unchecked"]) == ("deny", {"note": 7}, True)
    assert "unchecked" not in asked


async def test_a_decision_that_a_failed_preview_left_open_is_marked(make: Any, log: Any) -> None:
    class Shop(Toolkit):
        @tool(effect="read")
        async def get(self, id: str) -> dict[str, str]:
            """Get."""
            raise ValueError("not there")

        @tool(effect="write", preview=Preview("get", id="id"))
        async def put(self, id: str) -> str:
            """Put."""
            return "put"

    rows = ALLOW + '\np, *, acme, local.put, write, r.ctx.before.state == "closed", deny'
    crib = make(rows, Shop())
    await crib.call("put", {"id": "1"}, crib.principal("a", "alice"))
    (refused,) = log("refusal")
    assert (refused["decision"], refused["open"]) == ("deny", True)


async def test_an_answer_from_the_ledger_names_the_labels_that_it_brings(make: Any, log: Any) -> None:
    @tool(effect="write", labels={"untrusted"})
    async def act() -> str:
        """Act."""
        return "ok"

    crib = make(ALLOW, act)
    for session in ("one", "two"):
        principal = crib.principal("a", "alice", session=session)
        await crib.call("act", {}, principal, idempotency_key="k")
    (recall,) = log("recall")
    assert (recall["session"], recall["labels"]) == ("two", ["untrusted"])
