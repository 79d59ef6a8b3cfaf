"""The vocabulary: what an answer may hold, which answers count, what runs after an edit."""

from __future__ import annotations

import dataclasses

import orjson
import pytest

from toolcrib.approvals import Answer, AnswersChannel, ApprovalChannel, TerminalChannel, approval_to
from toolcrib.approvals._codec import answer_from, answer_to, request_from, request_to


@pytest.mark.parametrize(("verdict", "edit"), [("approve", {"a": 1}), ("reject", {}), ("edit", None)])
def test_an_edit_and_nothing_else_carries_arguments(verdict, edit):
    with pytest.raises(ValueError, match="edit"):
        Answer(verdict, "lea", 1.0, edit=edit)


def test_an_approval_cannot_be_changed(approval_of):
    with pytest.raises(dataclasses.FrozenInstanceError):
        approval_of().status = "approved"


def test_sensitive_values_are_dropped_where_the_request_is_made(approval_of):
    approval = approval_of(arguments={"user": "x", "password": "hunter2"}, sensitive=("password",))
    assert approval.arguments == {"user": "x"}
    assert "hunter2" not in repr(approval)


def test_without_an_edit_what_was_asked_runs(approval_of, yes):
    approval = approval_of(answers=(yes(),))
    assert approval.edit is None
    assert approval.shown == approval.arguments
    assert approval.apply_edit({"a": 1, "b": 2}) == {"a": 1, "b": 2}


def test_the_latest_edit_runs_with_the_sensitive_arguments_as_asked(approval_of):
    first, second = (Answer("edit", by, 1.0, edit={"to": by}) for by in ("lea", "bob"))
    approval = approval_of(arguments={"to": "x"}, sensitive=("password", "absent"), answers=(first, second))
    assert approval.shown == {"to": "bob"}
    assert approval.apply_edit({"to": "x", "cc": "y", "password": "hunter2"}) == {
        "to": "bob",
        "password": "hunter2",
    }


def test_an_edit_cannot_smuggle_a_sensitive_argument_in(approval_of):
    edit = Answer("edit", "lea", 1.0, edit={"to": "x", "password": "mine"})
    approval = approval_of(arguments={"to": "x"}, sensitive=("password",), answers=(edit,))
    assert approval.apply_edit({"to": "x", "password": "hunter2"})["password"] == "hunter2"


def test_answers_from_the_latest_edit_on_stand(approval_of, yes):
    edit = Answer("edit", "bob", 2.0, edit={})
    assert approval_of(answers=(yes("a"), yes("b"))).standing == (yes("a"), yes("b"))
    assert approval_of(answers=(yes("a"), edit)).standing == (edit,)
    assert approval_of(answers=(yes("a"), edit, yes("c"))).standing == (edit, yes("c"))


@pytest.mark.parametrize("field", ["tool", "fingerprint", "args_digest", "preview"])
def test_the_binding_changes_with_each_of_its_parts(approval_of, field):
    assert approval_of(**{field: "other"}).binding != approval_of().binding


def test_an_approval_is_written_as_json_and_read_back(approval_of, yes, lead, legal):
    approval = approval_of(
        requirements=(lead, legal), labels=frozenset({"b", "a"}), targets=("to",), sensitive=("pw",)
    )
    data = orjson.loads(orjson.dumps(request_to(approval)))
    for name, value in request_from(data).items():
        assert getattr(approval, name) == value, name
    edit = Answer("edit", "lea", 1.5, "note", {"a": [1]})
    assert answer_from(orjson.loads(orjson.dumps(answer_to(edit)))) == edit


def test_the_command_line_prints_everything(approval_of, yes):
    data = approval_to(approval_of(answers=(Answer("edit", "lea", 1.0, edit={"stage": "Lost"}),)))
    assert data["id"] == "7k2m-q9xd-4p3w"
    assert (data["user"], data["agent"], data["tenant"]) == ("alice", "seller", "acme")
    assert data["shown"] == {"stage": "Lost"}
    assert data["arguments"]["stage"] == "Closed Won"
    assert data["requirements"][0]["line"] == 12
    assert orjson.loads(orjson.dumps(data)) == data


def test_both_channels_are_channels(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    assert isinstance(TerminalChannel("lea"), ApprovalChannel)
    assert isinstance(AnswersChannel(tmp_path / "a.json", approver="lea"), ApprovalChannel)
