"""A human at the terminal of the chat: sees before and after, approves, edits or rejects."""

import asyncio
import io
import logging
import re

import pytest

from toolcrib.approvals import Answer, TerminalChannel
from toolcrib.testing import Call

REVIEW = "p2, agent:operator, acme, local.transfer, write, True, user:boss"
TRANSFER = Call("transfer", {"account": "A", "amount": 7})


@pytest.fixture
def terminal():
    """A terminal at which `who` types these lines, and what it showed."""

    def build(*lines, who="boss"):
        shown = io.StringIO()
        typed = io.StringIO("".join(f"{line}\n" for line in lines))
        return TerminalChannel(who, input=typed, output=shown, width=100), shown

    return build


@pytest.mark.parametrize(
    ("lines", "text", "moved"),
    [
        (["a"], "moved 7 to A", [("operator", "A", 7)]),
        (["e", "", "5", "a"], "moved 5 to A", [("operator", "A", 5)]),
        (["r", "too much"], "REJECTED BY A HUMAN", []),
    ],
    ids=["approve", "edit", "reject"],
)
def test_the_human_decides_at_the_terminal(
    make, bank, serve, pair, chat, answers, terminal, log, lines, text, moved
):
    crib = make(REVIEW)
    channel, shown = terminal(*lines)
    with serve(operator=[TRANSFER, "TERMINATE"]) as model:
        operator, runner = pair(crib, model, "operator", channel=channel)
        result = chat(runner, operator)
    assert answers(result.chat_history)[0].startswith(text)
    assert bank.moved == moved
    screen = shown.getvalue()
    assert "local.transfer" in screen
    assert "Before" in screen
    assert "100" in screen
    assert "→ 7" in screen
    answered = [record for record in log("approval") if record["action"] == "answered"]
    assert [record["approver"] for record in answered] == ["boss"]


def test_the_agent_never_sees_the_preview(make, serve, pair, chat, answers, terminal):
    crib = make(REVIEW)
    channel, _ = terminal("r", "no")
    with serve(operator=[TRANSFER, "TERMINATE"]) as model:
        operator, runner = pair(crib, model, "operator", channel=channel)
        result = chat(runner, operator)
    said = re.sub(r"[0-9a-f]{16,}|\w{4}(-\w{4}){2}", "", str(result.chat_history))  # ids may have any digits
    assert "100" not in said


def test_somebody_who_may_not_approve_does_not(make, bank, serve, pair, chat, log):
    """Policy judges the answer; the call goes on waiting for somebody who may, here from elsewhere."""
    crib = make(REVIEW)
    waiting = []

    class Intruder:
        async def ask(self, review):
            waiting.append(review.approval.id)
            return Answer("approve", "mallory", 0.0)

    class WhenRefused(logging.Handler):
        def emit(self, record):
            refused.append(record.getMessage())
            answering.append(asyncio.ensure_future(crib.answer(waiting[0], Answer("approve", "boss", 1.0))))

    refused, answering, handler = [], [], WhenRefused()
    logger = logging.getLogger("toolcrib.adapters.classic")
    logger.addHandler(handler)
    try:
        with serve(operator=[TRANSFER, "TERMINATE"]) as model:
            operator, runner = pair(crib, model, "operator", channel=Intruder())
            chat(runner, operator)
    finally:
        logger.removeHandler(handler)
    assert bank.moved == [("operator", "A", 7)]
    assert "'mallory' may not answer" in refused[0]
    (intent,) = [record for record in log("intent") if record["tool"] == "local.transfer"]
    assert intent["approver"] == ["boss"]


def test_an_answer_from_elsewhere_takes_the_question_back(make, bank, serve, pair):
    crib = make(REVIEW)
    taken_back = asyncio.Event()

    class Slow:
        async def ask(self, review):
            answering.append(asyncio.ensure_future(self.elsewhere(review.approval.id)))
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                taken_back.set()
                raise

        async def elsewhere(self, approval):
            await crib.answer(approval, Answer("approve", "boss", 1.0))

    async def main():
        with serve(operator=[TRANSFER, "TERMINATE"]) as model:
            operator, runner = pair(crib, model, "operator", channel=Slow())
            await runner.a_initiate_chat(operator, message="go", silent=True)

    answering = []
    asyncio.run(main())
    assert taken_back.is_set()
    assert bank.moved == [("operator", "A", 7)]


def test_two_parallel_calls_are_asked_one_after_the_other(make, bank, serve, pair, chat, answers, terminal):
    crib = make(REVIEW)
    channel, shown = terminal("a", "r", "one is enough")
    calls = [TRANSFER, Call("transfer", {"account": "B", "amount": 8})]
    with serve(operator=[calls, "TERMINATE"]) as model:
        operator, runner = pair(crib, model, "operator", channel=channel)
        result = chat(runner, operator)
    texts = answers(result.chat_history)
    assert sorted(text.split(" ")[0] for text in texts) == ["REJECTED", "moved"]
    assert len(bank.moved) == 1
    assert shown.getvalue().count("Approval ") >= 2


def test_two_people_must_agree(make, bank, serve, pair, chat, terminal):
    """The channel asks its own person; the other one answers elsewhere."""
    crib = make(REVIEW + "\n    p2, agent:operator, acme, local.transfer, *, True, user:auditor")
    asked = []

    class Two:
        async def ask(self, review):
            asked.append(len(review.approval.answers))
            return Answer("approve", ("boss", "auditor")[len(asked) - 1], 0.0)

    with serve(operator=[TRANSFER, "TERMINATE"]) as model:
        operator, runner = pair(crib, model, "operator", channel=Two())
        chat(runner, operator)
    assert asked == [0, 1]
    assert bank.moved == [("operator", "A", 7)]
