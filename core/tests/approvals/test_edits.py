"""Edits are checked where they are made."""

from __future__ import annotations

import pytest

from toolcrib.approvals._edits import check_edit, edit_from
from toolcrib.errors import InvalidArguments

SCHEMA = {
    "type": "object",
    "properties": {
        "to": {"type": "string"},
        "count": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"type": "string"},
        "password": {"type": "string"},
    },
    "required": ["to", "password"],
    "additionalProperties": False,
}


@pytest.fixture
def approval(approval_of):
    return approval_of(
        tool="mail.send",
        arguments={"to": "a@x.example", "count": 1, "tags": ["q3"], "password": "hunter2"},
        sensitive=("password",),
        schema=SCHEMA,
    )


def test_a_good_edit_passes_without_the_sensitive_arguments(approval):
    check_edit(approval, {"to": "b@x.example", "count": 2})


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ({"count": 2}, "to"),
        ({"to": "x", "count": 0}, "count"),
        ({"to": "x", "count": "2"}, "count"),
        ({"to": "x", "tags": [1]}, "tags.0"),
        ({"to": "x", "bcc": "y"}, "bcc"),
    ],
)
def test_an_edit_that_does_not_fit_says_where(approval, edit, says):
    with pytest.raises(InvalidArguments) as caught:
        check_edit(approval, edit)
    assert says in caught.value.what
    assert "mail.send" in caught.value.what


def test_a_sensitive_argument_cannot_be_edited(approval):
    for attempt in (
        lambda: check_edit(approval, {"to": "x", "password": "mine"}),
        lambda: edit_from(approval, ["password=mine"]),
    ):
        with pytest.raises(InvalidArguments, match="cannot be edited") as caught:
            attempt()
        assert "mine" not in str(caught.value)


def test_without_a_schema_the_executor_is_the_judge(approval_of):
    check_edit(approval_of(), {"anything": object()})


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        (["to=b@x.example"], {"to": "b@x.example"}),
        (["to=a=b"], {"to": "a=b"}),
        (['to=""'], {"to": ""}),
        (["to=12"], {"to": "12"}),
        (["count=12"], {"count": 12}),
        (['tags=["a", "b"]'], {"tags": ["a", "b"]}),
        (["note=12"], {"note": "12"}),
        (["count=2", "to=x"], {"count": 2, "to": "x"}),
        (["count=2", "count=3"], {"count": 3}),
    ],
)
def test_settings_change_what_they_name(approval, settings, changed):
    assert edit_from(approval, settings) == {"to": "a@x.example", "count": 1, "tags": ["q3"], **changed}


def test_settings_reach_into_a_records_fields(approval_of):
    approval = approval_of(arguments={"id": "1", "fields": {"Phone": "1", "Size": 3}})
    edited = edit_from(approval, ["fields.Phone=2", "fields.New=x"])
    assert (
        edited == {"id": "1", "fields": {"Phone": "2", "Size": 3, "New": "x"}}
        or edited["fields"]["Phone"] == "2"
    )
    assert approval.arguments["fields"]["Phone"] == "1", "the approval is not touched"


@pytest.mark.parametrize("setting", ["bcc=x", "to", "=x", "fields.Phone=1", ""])
def test_a_setting_that_names_no_argument_is_refused(approval, setting):
    with pytest.raises(InvalidArguments) as caught:
        edit_from(approval, [setting])
    assert "to, count, tags, note, password" in caught.value.remedy


def test_a_value_that_is_no_json_is_refused_where_json_is_needed(approval):
    with pytest.raises(InvalidArguments, match="no JSON"):
        edit_from(approval, ["count=two"])


def test_an_edit_starts_from_the_edit_before(approval_of):
    from toolcrib.approvals import Answer

    first = Answer("edit", "lea", 1.0, edit={"stage": "Lost", "amount": 1})
    assert edit_from(approval_of(answers=(first,)), ["amount=2"]) == {"stage": "Lost", "amount": 2}
