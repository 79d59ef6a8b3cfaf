"""Progress shows no token that a tool never should have told, and none of it stays behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from toolcrib import CallContext, tool

TOKEN = "ghp_" + "a1B2" * 9
ALL = "p, *, acme, local.*, *, True, allow"


@tool(effect="read", timeout=1)
async def tell(pieces: list[str], end: str, ctx: CallContext) -> str:
    """Tell the pieces, then come to that end."""
    for number, piece in enumerate(pieces):
        ctx.progress(piece, number / 10)
    if end == "raise":
        raise ValueError("no luck")
    if end == "wait":
        await asyncio.Event().wait()
    return "done"


@tool(effect="read", timeout=1)
def tell_in_a_thread(pieces: list[str], ctx: CallContext) -> str:
    """The same for a tool that is no coroutine."""
    for piece in pieces:
        ctx.progress(piece)
    return "done"


@pytest.mark.parametrize("end", ["return", "raise", "wait"])
async def test_what_was_held_back_is_told_when_the_tool_ends_however_that_is(make: Any, end: str) -> None:
    crib, news = make(ALL, tell), list[Any]()
    pieces = ["one", "see ghp_16C7"]
    await crib.call("tell", {"pieces": pieces, "end": end}, crib.principal("a"), watch=news.append)
    assert [(one.message, one.fraction) for one in news] == [("one", 0.0), ("see ", 0.1), ("ghp_16C7", None)]


async def test_a_cancelled_call_tells_it_too(make: Any) -> None:
    crib, news, told = make(ALL, tell), list[Any](), asyncio.Event()

    def watch(one: Any) -> None:
        news.append(one.message)
        told.set()

    arguments = {"pieces": ["see ghp_16C7"], "end": "wait"}
    running = asyncio.create_task(crib.call("tell", arguments, crib.principal("a"), watch=watch))
    await told.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert news == ["see ", "ghp_16C7"]


@pytest.mark.parametrize("cut", [2, 4, 8, 20, len(TOKEN) - 1])
@pytest.mark.parametrize("name", ["tell", "tell_in_a_thread"])
async def test_a_token_cut_over_two_messages_is_in_neither(make: Any, name: str, cut: int) -> None:
    crib, news = make(ALL, tell, tell_in_a_thread), list[Any]()
    arguments = {"pieces": [f"push with {TOKEN[:cut]}", f"{TOKEN[cut:]} now"]}
    more = {"end": "return"} if name == "tell" else {}
    await crib.call(name, arguments | more, crib.principal("a"), watch=news.append)
    text = "".join(one.message for one in news)
    assert "[token:github]" in text and "a1B2" not in text and text.endswith(" now")


async def test_each_message_is_told_at_once_although_a_part_of_it_waits(make: Any) -> None:
    crib, news = make(ALL, tell), list[Any]()
    arguments = {"pieces": ["ghp_16C7", "x" * 10, " end"], "end": "return"}
    await crib.call("tell", arguments, crib.principal("a"), watch=news.append)
    assert [one.message for one in news] == ["", "", "ghp_16C7xxxxxxxxxx end"]
