"""What a tool raises may be anything, and say anything: the call still ends, once, with an outcome."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from toolcrib import Crib, tool
from toolcrib.errors import AuditError, StateError

ALLOW = "p, *, acme, local.*, *, True, allow"


class Mute(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text either")


ODD = [Mute(), RuntimeError("half a pair: \ud800"), RuntimeError("x" * 1_000_000)]


@pytest.mark.parametrize("error", ODD, ids=["mute", "surrogate", "huge"])
async def test_an_error_whose_text_cannot_be_written_still_has_an_outcome(
    make: Any, log: Any, error: Exception
) -> None:
    @tool(effect="write")
    async def act() -> None:
        """Act."""
        raise error

    crib: Crib = make(ALLOW, act)
    result = await crib.call("act", {}, crib.principal("a", "alice"))
    assert result.status == "ambiguous"
    assert len(result.text) < 3000
    assert [(r["kind"], r.get("status")) for r in log()] == [("intent", None), ("outcome", "ambiguous")]
    assert [row.status for row in crib.state.ledger()] == ["ambiguous"]


@pytest.mark.parametrize("error", [StopIteration("none left"), GeneratorExit("gone")])
async def test_a_sync_tool_that_raises_what_a_coroutine_cannot_carry_ends_at_once(
    make: Any, log: Any, error: BaseException
) -> None:
    @tool(effect="write")
    def act() -> None:
        """Act."""
        raise error

    crib: Crib = make(ALLOW, act)
    result = await asyncio.wait_for(crib.call("act", {}, crib.principal("a", "alice")), 20)
    assert result.status == "ambiguous"
    assert type(error).__name__ in result.text
    assert [(r["kind"], r.get("status")) for r in log()] == [("intent", None), ("outcome", "ambiguous")]


async def test_a_write_that_can_be_recorded_nowhere_is_not_called_undone(make: Any) -> None:
    """The disk is full when the tool comes back: neither the log nor the ledger takes a word."""

    cribs: list[Crib] = []

    @tool(effect="write")
    async def act() -> str:
        """Act."""

        async def full(record: Any) -> str:
            raise AuditError("the disk is full")

        def stuck(*given: Any) -> None:
            raise StateError("the disk is full")

        cribs[0].executor._audit.append = full  # type: ignore[method-assign]
        cribs[0].state.settle = stuck  # type: ignore[method-assign,assignment]
        return "sent"

    crib: Crib = make(ALLOW, act)
    cribs.append(crib)
    result = await crib.call("act", {}, crib.principal("a", "alice"))
    assert result.status == "ambiguous"
    assert "act ran" in result.text
    assert "sent" not in result.text
    assert [row.status for row in crib.state.ledger()] == ["intended"]
