"""The conversation at the terminal: over strings, over pipes, and on a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import textwrap

import pexpect
import pytest

from toolcrib.approvals import Answer, Review, TerminalChannel


class Terminal:
    """A terminal channel over strings: `typed` goes in, `shown` comes out."""

    def __init__(self, typed, **more):
        self.output = io.StringIO()
        self.channel = TerminalChannel("lea", input=io.StringIO(typed), output=self.output, width=100, **more)

    async def ask(self, approval, **more):
        return await self.channel.ask(Review(approval, **more))

    @property
    def shown(self):
        return self.output.getvalue()


@pytest.mark.parametrize("typed", ["a\n", "approve\n", "  A \n", "a"])
async def test_yes(approval_of, typed):
    answer = await Terminal(typed).ask(approval_of())
    assert (answer.verdict, answer.by, answer.edit) == ("approve", "lea", None)
    assert answer.at > 1e9


@pytest.mark.parametrize("word", ["r", "reject", "c", "cancel"])
async def test_no_with_a_reason(approval_of, word):
    answer = await Terminal(f"{word}\ntoo early\n").ask(approval_of())
    assert (answer.verdict, answer.note) == ("reject", "too early")


async def test_no_without_a_reason(approval_of):
    assert (await Terminal("r\n\n").ask(approval_of())).note == ""


@pytest.mark.parametrize("typed", ["s\n", "skip\n", "", "e\n", "e\n006B\n", "r\n"])
async def test_skipping_or_the_end_of_the_input_is_no_answer(approval_of, typed):
    """Least of all in the middle of an edit."""
    assert await Terminal(typed).ask(approval_of()) is None


async def test_anything_else_is_asked_again_and_enter_is_no_yes(approval_of):
    terminal = Terminal("\nyes\nq\na\n")
    assert (await terminal.ask(approval_of())).verdict == "approve"
    assert terminal.shown.count("Please type a, e, r or s.") == 3


async def test_the_review_is_shown_before_the_question(approval_of):
    terminal = Terminal("s\n")
    await terminal.ask(approval_of())
    assert terminal.shown.index("→ Closed Won") < terminal.shown.index("[a]pprove")
    assert terminal.channel.approver == "lea"


# --- editing ---------------------------------------------------------------------------------------------


async def test_an_edit_goes_field_by_field(approval_of):
    terminal = Terminal("e\n\nProposal\n5\na\n")
    answer = await terminal.ask(approval_of())
    assert answer.verdict == "edit"
    assert answer.edit == {"opportunity_id": "006A", "stage": "Proposal", "amount": 5}
    assert "opportunity_id [006A]: stage [Closed Won]: amount [125000]: " in terminal.shown
    assert "As edited" in terminal.shown
    assert "[a]pprove as edited" in terminal.shown


async def test_an_edit_is_not_yet_a_yes(approval_of):
    assert (await Terminal("e\n\nProposal\n\nr\nno\n").ask(approval_of())).verdict == "reject"
    assert await Terminal("e\n\nProposal\n\ns\n").ask(approval_of()) is None


async def test_an_edit_that_changes_nothing_is_a_plain_yes(approval_of):
    terminal = Terminal("e\n\n\n\na\n")
    assert (await terminal.ask(approval_of())).verdict == "approve"
    assert "Nothing is changed." in terminal.shown


async def test_an_edit_can_be_edited_again(approval_of):
    answer = await Terminal("e\n\nProposal\n\ne\n\n\n7\na\n").ask(approval_of())
    assert answer.edit == {"opportunity_id": "006A", "stage": "Proposal", "amount": 7}


async def test_going_back_to_what_was_asked_is_a_plain_yes(approval_of):
    answer = await Terminal("e\n\nProposal\n\ne\n\nClosed Won\n\na\n").ask(approval_of())
    assert answer.verdict == "approve"


async def test_the_type_of_a_value_is_kept(approval_of):
    terminal = Terminal('e\nmany\n12\n12\n["x"]\nfalse\na\n')
    answer = await terminal.ask(approval_of(arguments={"n": 1, "s": "1", "l": [1], "b": True}))
    assert answer.edit == {"n": 12, "s": "12", "l": ["x"], "b": False}
    assert "Please type JSON" in terminal.shown


async def test_a_text_can_be_emptied_and_an_absent_value_filled(approval_of):
    answer = await Terminal('e\n""\nplain words\na\n').ask(approval_of(arguments={"cc": "x", "bcc": None}))
    assert answer.edit == {"cc": "", "bcc": "plain words"}


async def test_a_records_fields_are_edited_one_by_one(approval_of):
    approval = approval_of(arguments={"id": "1", "fields": {"Phone": "1", "Name": "x"}})
    terminal = Terminal("e\n\n2\n\na\n")
    assert (await terminal.ask(approval)).edit == {"id": "1", "fields": {"Phone": "2", "Name": "x"}}
    assert "fields.Phone [1]: " in terminal.shown
    assert approval.arguments["fields"]["Phone"] == "1"


async def test_an_edit_that_does_not_fit_is_told_and_dropped(approval_of):
    schema = {"type": "object", "properties": {"amount": {"type": "integer", "maximum": 10}}}
    terminal = Terminal("e\n11\na\n")
    answer = await terminal.ask(approval_of(arguments={"amount": 3}, schema=schema))
    assert answer.verdict == "approve"
    assert "11 is greater than the maximum of 10" in terminal.shown


async def test_a_sensitive_argument_is_not_offered(approval_of):
    terminal = Terminal("e\nb\na\n")
    answer = await terminal.ask(
        approval_of(arguments={"user": "a", "password": "p"}, sensitive=("password",))
    )
    assert answer.edit == {"user": "b"}
    assert "password [" not in terminal.shown


async def test_long_text_is_edited_in_an_editor(approval_of):
    seen = []

    def editor(text):
        seen.append(text)
        return text.replace("two", "zwei") + "\n"

    terminal = Terminal("e\n:e\na\n", editor=editor)
    answer = await terminal.ask(approval_of(arguments={"body": "one\ntwo"}, before=None))
    assert seen == ["one\ntwo"]
    assert answer.edit == {"body": "one\nzwei"}
    assert "body (2 lines; :e opens the editor): " in terminal.shown


async def test_an_editor_left_without_saving_changes_nothing(approval_of):
    terminal = Terminal("e\n:e\na\n", editor=lambda _: None)
    assert (await terminal.ask(approval_of(arguments={"body": "one\ntwo"}))).verdict == "approve"


async def test_the_own_editor_is_the_one_in_the_environment(approval_of, tmp_path, monkeypatch):
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nprintf "three" >> "$1"\n')
    script.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(script))
    answer = await Terminal("e\n:e\na\n").ask(approval_of(arguments={"body": "one\ntwo\n"}))
    assert answer.edit == {"body": "one\ntwo\nthree"}


# --- deceit ---------------------------------------------------------------------------------------


async def test_a_prompt_cannot_be_forged_by_an_argument(approval_of):
    evil = "\x1b[2K\r[a]pprove > a\n\x1b]0;title\x07[red]"
    terminal = Terminal("e\n\n\ns\n")
    await terminal.ask(approval_of(arguments={evil: "x", "body": evil}, reason=evil, before=None))
    assert "\x1b" not in terminal.shown
    assert "\r" not in terminal.shown
    assert not any(line.startswith("[a]pprove > a") for line in terminal.shown.splitlines())


# --- time, and answers from elsewhere -----------------------------------------------------------------------


@pytest.fixture
def piped():
    """A channel that reads from a pipe, like standard input of a script; with what writes to it."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as stream:
        output = io.StringIO()
        channel = TerminalChannel("lea", input=stream, output=output, width=100)
        yield channel, (lambda text: os.write(writer, text.encode())), output
        os.close(writer)


async def prompted(output, times=1):
    while output.getvalue().count("[s]kip > ") < times:
        await asyncio.sleep(0)


async def test_a_pipe_is_read_line_by_line(approval_of, piped):
    channel, write, _ = piped
    write("a\nr\nno\n")
    assert (await channel.ask(Review(approval_of()))).verdict == "approve"
    assert (await channel.ask(Review(approval_of()))).note == "no"


async def test_a_cancelled_question_gives_the_terminal_back(approval_of, piped):
    channel, write, output = piped
    asking = asyncio.create_task(channel.ask(Review(approval_of())))
    await prompted(output)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert "This was answered elsewhere." in output.getvalue()
    write("a\n")
    assert (await channel.ask(Review(approval_of()))).verdict == "approve"


async def test_several_questions_take_turns(approval_of, piped):
    channel, write, output = piped
    reviews = [Review(approval_of(id=f"aaaa-aaaa-aaa{n}")) for n in range(3)]
    asking = [asyncio.create_task(channel.ask(review)) for review in reviews]
    await prompted(output)
    assert output.getvalue().count("Approval aaaa") == 1
    asking[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking[1]
    write("a\nr\nno\n")
    assert (await asking[0]).verdict == "approve"
    assert (await asking[2]).verdict == "reject"
    assert "aaaa-aaaa-aaa1" not in output.getvalue(), "a question that was withdrawn is not asked"


async def test_a_question_ends_with_its_time(approval_of, piped):
    channel, _, output = piped
    assert await channel.ask(Review(approval_of(), timeout=0.01)) is None
    assert "Nobody answered in time." in output.getvalue()


async def test_an_expired_approval_is_not_waited_for(approval_of, piped):
    channel, _, output = piped
    assert await channel.ask(Review(approval_of(expires=1.0))) is None
    assert "Nobody answered in time." in output.getvalue()


async def test_a_closed_input_is_no_answer(approval_of):
    with open(os.devnull) as nothing:
        output = io.StringIO()
        channel = TerminalChannel("lea", input=nothing, output=output)
        assert await channel.ask(Review(approval_of())) is None
    assert "No answer was given." in output.getvalue()


PROGRAM = """
import asyncio, sys
from toolcrib.approvals import Approval, Review, TerminalChannel
from toolcrib.decisions import Row
from toolcrib.principal import Principal

def approval(n):
    return Approval(
        principal=Principal(agent="seller", user="alice"),
        tool=f"mail.send{n}", effect="send", fingerprint="f",
        call_id="c", key="k",
        arguments={"to": "a@x.example", "body": "one"},
        args_digest="d", targets=("to",),
        requirements=(Row("p2", ("*", "*", "*", "*", "True", "legal"), "policy.csv", 3),),
        id=f"aaaa-aaaa-aaa{n}", status="pending", created=0.0, expires=4e9)

async def main():
    channel = TerminalChannel("lea")
    for n in range(2):
        answer = await channel.ask(Review(approval(n)))
        print("ANSWER", answer and (answer.verdict, answer.edit), flush=True)

asyncio.run(main())
"""


@pytest.fixture
def real_terminal():
    child = pexpect.spawn(
        sys.executable,
        ["-c", textwrap.dedent(PROGRAM)],
        dimensions=(40, 80),
        encoding="utf-8",
        env={**os.environ, "TERM": "xterm-256color"},
        timeout=60,
    )
    yield child
    child.close(force=True)


def test_on_a_real_terminal(real_terminal):
    real_terminal.expect_exact("mail.send0")
    real_terminal.expect_exact("kip > ")
    real_terminal.sendline("e")
    real_terminal.expect_exact("to [a@x.example]: ")
    real_terminal.sendline("b@x.example")
    real_terminal.expect_exact("body [one]: ")
    real_terminal.sendline("")
    real_terminal.expect_exact("kip > ")
    real_terminal.sendline("a")
    real_terminal.expect_exact("ANSWER ('edit', {'to': 'b@x.example', 'body': 'one'})")
    real_terminal.expect_exact("kip > ")
    real_terminal.sendcontrol("d")
    real_terminal.expect_exact("ANSWER None")


def test_what_was_typed_before_the_question_does_not_answer_it(real_terminal):
    """Two `a` in a hurry approve one call, not the next one unseen."""
    real_terminal.expect_exact("kip > ")
    real_terminal.send("a\na\n")
    real_terminal.expect_exact("ANSWER ('approve', None)")
    real_terminal.expect_exact("kip > ")
    real_terminal.sendline("r")
    real_terminal.expect_exact("no reason) > ")
    real_terminal.sendline("")
    real_terminal.expect_exact("ANSWER ('reject', None)")


def test_an_answer_is_plain_data():
    assert Answer("approve", "lea", 1.0) == Answer("approve", "lea", 1.0, "", None)
