"""Waiting for an answer, given in this process or in another."""

from __future__ import annotations

import asyncio
import threading

import pytest

from toolcrib.approvals import Answer
from toolcrib.errors import StateError
from toolcrib.state import State

ANSWER = """
    with State.open(folder) as state:
        approval = state.get_approval(sys.argv[2])
        say("ready"); sys.stdin.readline()
        state.answer(approval, Answer("approve", "lea", 1.0), complete=sys.argv[3] == "complete")
    say("answered")
"""


@pytest.fixture
def state(folder):
    """With the real clock: another process answers by its own."""
    with State.open(folder) as opened:
        yield opened


@pytest.fixture
def pending(state, request_of):
    return state.request_approval(request_of(), ttl=600)


class Waiting:
    """`wait_for_answer` in a thread."""

    def __init__(self, state, approval, timeout=60.0):
        self.result = self.error = None
        self._thread = threading.Thread(target=self._run, args=(state, approval, timeout))
        self._thread.start()

    def _run(self, state, approval, timeout):
        try:
            self.result = state.wait_for_answer(approval, timeout)
        except BaseException as error:
            self.error = error

    def end(self):
        self._thread.join()
        if self.error:
            raise self.error
        return self.result


def test_an_answer_in_this_process_wakes_the_waiter(state, pending, yes):
    waiting = Waiting(state, pending)
    state.answer(pending, yes(), complete=True)
    assert waiting.end().status == "approved"


def test_an_answer_in_another_process_wakes_the_waiter(state, pending, other):
    process = other(ANSWER, pending.id, "complete")
    assert process.hear() == "ready"
    waiting = Waiting(state, pending)
    process.tell()
    assert waiting.end().status == "approved"
    assert process.hear() == "answered"


async def test_the_same_on_the_event_loop(state, pending, other):
    process = other(ANSWER, pending.id, "complete")
    assert process.hear() == "ready"
    waiting = asyncio.create_task(state.answered(pending, 60))
    process.tell()
    assert (await waiting).status == "approved"


async def test_many_wait_at_once_each_for_its_own(state, request_of, yes):
    pending = [state.request_approval(request_of(key=f"k{n}"), ttl=600) for n in range(5)]
    waiting = [asyncio.create_task(state.answered(each, 60)) for each in pending]
    await asyncio.sleep(0)
    for n in (3, 0, 4, 1, 2):
        await asyncio.to_thread(state.answer, pending[n], yes(f"p{n}"), complete=True)
        assert (await waiting[n]).answers[0].by == f"p{n}"


async def test_two_may_wait_for_one(state, pending, yes):
    waiting = [asyncio.create_task(state.answered(pending, 60)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.to_thread(state.answer, pending, yes(), complete=True)
    assert [(await each).status for each in waiting] == ["approved", "approved"]


def test_an_answer_that_is_not_the_last_wakes_too(state, pending, other, yes):
    process = other(ANSWER, pending.id, "incomplete")
    assert process.hear() == "ready"
    waiting = Waiting(state, pending)
    process.tell()
    first = waiting.end()
    assert (first.status, len(first.answers)) == ("pending", 1)
    again = Waiting(state, first)
    state.answer(first, yes("bob"), complete=True)
    assert again.end().status == "approved"


@pytest.mark.parametrize("end", ["rejected", "superseded"])
def test_every_other_ending_wakes_too(state, pending, request_of, end):
    waiting = Waiting(state, pending)
    if end == "rejected":
        state.answer(pending, Answer("reject", "lea", 1.0), complete=True)
    else:
        state.reopen(pending, request_of(preview="p2"), ttl=60)
    assert waiting.end().status == end


def test_what_was_answered_before_the_wait_is_seen_at_once(state, pending, yes):
    state.answer(pending, yes(), complete=True)
    assert state.wait_for_answer(pending, 60).status == "approved"


async def test_what_is_not_pending_is_not_waited_for(state, pending, yes):
    approved = state.answer(pending, yes(), complete=True)
    assert state.wait_for_answer(approved).status == "approved"
    assert (await state.answered(approved)).status == "approved"


def test_an_expiry_wakes(folder, clock, request_of):
    with State.open(folder, clock=clock) as state:
        pending = state.request_approval(request_of(), ttl=600)
        waiting = Waiting(state, pending)
        clock.now += 601
        assert waiting.end().status == "expired"


async def test_a_timeout_gives_the_approval_as_it_stands(state, pending):
    assert state.wait_for_answer(pending, 0.01).status == "pending"
    assert (await state.answered(pending, 0.01)).status == "pending"


async def test_a_cancelled_wait_leaves_nothing_behind(state, pending, yes):
    waiting = asyncio.create_task(state.answered(pending, 60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert state._watch._waiters == set()
    await asyncio.to_thread(state.answer, pending, yes(), complete=True)
    assert (await state.answered(pending, 60)).status == "approved"


def test_the_thread_ends_when_nobody_waits(state, pending, yes):
    waiting = Waiting(state, pending)
    thread = state._watch._thread
    state.answer(pending, yes(), complete=True)
    waiting.end()
    if thread is not None:
        thread.join()
    assert state._watch._thread is None


def test_one_can_wait_again_after_everybody_left(state, request_of, yes):
    for n in range(20):
        pending = state.request_approval(request_of(key=f"k{n}"), ttl=600)
        waiting = Waiting(state, pending)
        state.answer(pending, yes(), complete=True)
        assert waiting.end().status == "approved"


def test_closing_tells_the_waiters(state, pending):
    waiting = Waiting(state, pending)
    while not state._watch._waiters:
        pass
    state.close()
    with pytest.raises(StateError, match="closed"):
        waiting.end()
    with pytest.raises(StateError, match="closed"):
        state.wait_for_answer(pending)


def test_a_database_that_cannot_be_read_tells_the_waiters(state, pending, monkeypatch):
    def fail(_ids):
        raise StateError("the state database is damaged")

    monkeypatch.setattr(state._approvals, "several", fail)
    with pytest.raises(StateError, match="damaged"):
        Waiting(state, pending).end()


def test_a_killed_answerer_leaves_the_question_open(state, pending, other):
    process = other(ANSWER, pending.id, "complete")
    assert process.hear() == "ready"
    process.kill()
    assert state.get_approval(pending.id) == pending
