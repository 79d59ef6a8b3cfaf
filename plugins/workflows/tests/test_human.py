"""The human: asked here, heard from elsewhere, or not there."""

from __future__ import annotations

import asyncio
import time

import pytest

from toolcrib import tool
from toolcrib.approvals import Answer
from toolcrib.testing.cribs import make_crib
from toolcrib_workflows._human import Human, latest

ROWS = """
    p, *, acme, local.pay, write, True, allow
    p2, *, acme, local.pay, write, True, user:boss
"""


@tool(effect="write")
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


class Listener:
    """Keeps what it is told."""

    def __init__(self):
        self.heard = []

    def asks(self, approval):
        self.heard.append("asks")

    def answered(self, approval, answer):
        self.heard.append(answer.verdict if answer else f"elsewhere {approval.status}")

    def refused(self, error):
        self.heard.append("refused")


class Says:
    """A channel that gives one answer, or waits for ever."""

    def __init__(self, verdict=None, by="boss", *, hang=False):
        self.verdict, self.by, self.hang, self.cancelled = verdict, by, hang, False
        self.asked = asyncio.Event()

    async def ask(self, review):
        self.asked.set()
        try:
            if self.hang:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Answer(self.verdict, self.by, time.time()) if self.verdict else None


@pytest.fixture
def crib(tmp_path):
    with make_crib(tmp_path, ROWS, config='[approvals]\nmode = "park"\n') as crib:
        crib.add(pay)
        yield crib


@pytest.fixture
async def parked(crib):
    result = await crib.call("pay", {"amount": 5}, crib.principal("writer", "alice", run="r1"))
    return result.approval


def yes(by="boss"):
    return Answer("approve", by, time.time())


@pytest.mark.parametrize(("verdict", "status"), [("approve", "approved"), ("reject", "rejected")])
async def test_asked_here(crib, parked, verdict, status):
    listener = Listener()
    assert await Human(crib, Says(verdict), listener).settle(parked)
    assert crib.state.get_approval(parked).status == status
    assert listener.heard == ["asks", verdict]


async def test_no_answer_leaves_it_open(crib, parked):
    listener = Listener()
    assert not await Human(crib, Says(None), listener).settle(parked)
    assert crib.state.get_approval(parked).status == "pending"


async def test_nobody_here(crib, parked):
    assert not await Human(crib, None, Listener()).settle(parked)


async def test_answered_before_it_was_asked(crib, parked):
    await crib.answer(parked, yes())
    channel, listener = Says(hang=True), Listener()
    assert await Human(crib, channel, listener).settle(parked)
    assert listener.heard == ["elsewhere approved"] and not channel.asked.is_set()


async def test_answered_elsewhere_while_it_is_asked_here(crib, parked):
    channel, listener = Says(hang=True), Listener()
    asking = asyncio.create_task(Human(crib, channel, listener).settle(parked))
    await channel.asked.wait()
    await crib.answer(parked, yes())
    assert await asking
    assert channel.cancelled
    assert listener.heard == ["asks", "elsewhere approved"]


async def test_whoever_may_not_answer_is_told_and_it_stays_open(crib, parked):
    listener = Listener()
    assert not await Human(crib, Says("approve", by="alice"), listener).settle(parked)
    assert listener.heard == ["asks", "refused"]
    assert crib.state.get_approval(parked).status == "pending"


async def test_slower_than_somebody_else(crib, parked):
    class Slow(Says):
        async def ask(self, review):
            await crib.answer(parked, Answer("reject", "boss", time.time()))
            return yes()

    listener = Listener()
    assert await Human(crib, Slow(), listener).settle(parked)
    assert crib.state.get_approval(parked).status == "rejected"
    assert listener.heard == ["asks", "elsewhere rejected"]


async def test_an_interrupt_takes_the_question_back(crib, parked):
    channel = Says(hang=True)
    asking = asyncio.create_task(Human(crib, channel, Listener()).settle(parked))
    await channel.asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert channel.cancelled


async def test_latest_follows_what_took_its_place(crib, parked):
    old = crib.state.get_approval(parked)
    new = crib.state.reopen(old, old, ttl=60, keep_answers=False)
    assert latest(crib, parked).id == new.id != parked
