"""Scripted answers: in order, for the tool they name, by whoever runs them."""

from __future__ import annotations

import json

import pytest

from toolcrib.approvals import Answer, AnswersChannel, Review
from toolcrib.errors import ConfigError, ToolcribWarning


@pytest.fixture
def channel(tmp_path):
    """A channel over these answers; problems go to a list instead of warnings."""

    def make(*answers, **more):
        file = tmp_path / "answers.json"
        file.write_text(json.dumps(list(answers)))
        options = {"approver": "lea", "on_problem": lambda _: None, "clock": lambda: 7.0, **more}
        return AnswersChannel(file, **options)

    return make


async def test_answers_are_given_in_order(channel, approval_of):
    answers = channel(
        {"tool": "crm.*", "verdict": "approve", "note": "fine"},
        {"tool": "crm.set_stage", "verdict": "reject", "note": "no"},
    )
    review = Review(approval_of())
    assert await answers.ask(review) == Answer("approve", "lea", 7.0, "fine")
    assert answers.left == 1
    assert await answers.ask(review) == Answer("reject", "lea", 7.0, "no")
    assert answers.problems == []


async def test_an_edit_names_only_what_changes(channel, approval_of):
    answers = channel({"tool": "*", "verdict": "edit", "edit": {"amount": 5}})
    answer = await answers.ask(Review(approval_of()))
    assert answer.verdict == "edit"
    assert answer.edit == {"opportunity_id": "006A", "stage": "Closed Won", "amount": 5}


async def test_toml_is_read_too(tmp_path, approval_of):
    file = tmp_path / "answers.toml"
    file.write_text(
        """
        [[answers]]
        tool = "crm.*"
        verdict = "edit"
        note = "lower"
        edit = { amount = 5 }
        """
    )
    answer = await AnswersChannel(file, approver="lea").ask(Review(approval_of()))
    assert (answer.edit["amount"], answer.note) == (5, "lower")


async def test_an_answer_for_another_tool_is_no_answer_and_stays(channel, approval_of):
    answers = channel({"tool": "mail.*", "verdict": "approve"})
    assert await answers.ask(Review(approval_of())) is None
    assert "the next answer is for 'mail.*', but crm.set_stage" in answers.problems[0]
    assert await answers.ask(Review(approval_of(tool="mail.send"))) is not None


async def test_when_the_answers_are_used_up_there_is_none(channel, approval_of):
    answers = channel()
    assert await answers.ask(Review(approval_of())) is None
    assert "no answer is left" in answers.problems[0]


async def test_an_edit_that_does_not_fit_is_no_answer(channel, approval_of):
    schema = {"type": "object", "properties": {"amount": {"type": "integer"}}}
    answers = channel({"tool": "*", "verdict": "edit", "edit": {"amount": "much"}})
    assert await answers.ask(Review(approval_of(schema=schema))) is None
    assert "amount" in answers.problems[0]


async def test_problems_are_warnings_unless_told_otherwise(channel, approval_of):
    answers = channel(on_problem=None)
    with pytest.warns(ToolcribWarning, match="no answer is left"):
        await answers.ask(Review(approval_of()))


def test_nobody_answers_for_somebody_else(channel):
    with pytest.raises(ConfigError) as caught:
        channel({"tool": "*", "verdict": "approve", "by": "ceo"})
    assert "'ceo'" in caught.value.what
    assert "[approvals.users]" in caught.value.rule


async def test_a_demo_may_play_several_people(channel, approval_of):
    answers = channel({"tool": "*", "verdict": "approve", "by": "ceo"}, anybody=True)
    assert (await answers.ask(Review(approval_of()))).by == "ceo"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("text", "not a table"),
        ({"tool": "*"}, "verdict None"),
        ({"tool": "*", "verdict": "yes"}, "verdict 'yes'"),
        ({"verdict": "approve"}, "'tool' must be a text"),
        ({"tool": "*", "verdict": "approve", "who": "x"}, "unknown key 'who'"),
        ({"tool": "*", "verdict": "edit"}, "an edit, and nothing else"),
        ({"tool": "*", "verdict": "edit", "edit": [1]}, "an edit, and nothing else"),
        ({"tool": "*", "verdict": "approve", "edit": {"a": 1}}, "an edit, and nothing else"),
        ({"tool": "*", "verdict": "approve", "note": 7}, "'note' must be a text"),
    ],
)
def test_a_malformed_answer_is_named_when_the_file_is_read(channel, entry, says):
    with pytest.raises(ConfigError) as caught:
        channel({"tool": "*", "verdict": "approve"}, entry)
    assert "answer 2" in caught.value.what
    assert says in caught.value.what


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.toml", "x ="), ("a.json", "{"), ("a.toml", "answers = 1"), ("b.toml", None), ("a.toml", b"\xff")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        AnswersChannel(file, approver="lea")
    assert name in caught.value.what
