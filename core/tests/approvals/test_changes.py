"""before -> after, and nothing an agent sent goes missing between the two lists."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from toolcrib.approvals import ABSENT, Change, changes
from toolcrib.approvals._changes import unmatched

CASES = {
    "same name": ({"stage": "A"}, {"stage": "B"}, [("stage", "A", "B")], {}),
    "other spelling": ({"StageName": "A"}, {"stage_name": "B"}, [("stage_name", "A", "B")], {}),
    "the record stays named": ({"id": 1, "x": "A"}, {"id": 1, "x": "B"}, [("x", "A", "B")], {"id": 1}),
    "no change": ({"stage": "A"}, {"record": 7, "stage": "A"}, [], {"record": 7, "stage": "A"}),
    "nothing in common": ({"x": 1}, {"y": 2}, [], {"y": 2}),
    "fields": ({"Tel": "1"}, {"id": "9", "fields": {"Tel": "2"}}, [("Tel", "1", "2")], {"id": "9"}),
    "values": ({"a": 1}, {"values": {"a": 2}}, [("a", 1, 2)], {}),
    "changes": ({"a": 1}, {"changes": {"a": 2}}, [("a", 1, 2)], {}),
    "a field that was not there": ({"a": 1}, {"fields": {"b": 2}}, [("b", ABSENT, 2)], {}),
    "only changed fields": ({"a": 1, "b": 2}, {"fields": {"a": 1, "b": 3}}, [("b", 2, 3)], {}),
    "nested before": ({"id": 1, "fields": {"a": 1}}, {"fields": {"a": 2}}, [("a", 1, 2)], {}),
    "fields that hold no fields": ({"a": 1}, {"fields": "text"}, [], {"fields": "text"}),
    "a field named fields": ({"fields": "old"}, {"fields": "new"}, [("fields", "old", "new")], {}),
    "nothing is not empty": ({"a": None}, {"a": ""}, [("a", None, "")], {}),
    "one is not true": ({"a": 1}, {"a": True}, [("a", 1, True)], {}),
    "zero is not false": ({"a": 0}, {"a": False}, [("a", 0, False)], {}),
    "one is one": ({"a": 1}, {"a": 1.0}, [], {"a": 1.0}),
    "lists": ({"a": [1]}, {"a": [1, 2]}, [("a", [1], [1, 2])], {}),
    "a name used twice": ({"id": 1}, {"id": 1, "fields": {"id": 2}}, [("id", 1, 2)], {"id": 1}),
    "an empty record": ({}, {"a": 1}, [], {"a": 1}),
    "no arguments": ({"a": 1}, {}, [], {}),
}


@pytest.mark.parametrize(("before", "arguments", "changed", "rest"), CASES.values(), ids=CASES)
def test_changes_and_the_rest(before, arguments, changed, rest):
    assert changes(before, arguments) == [Change(*each) for each in changed]
    assert unmatched(before, arguments) == rest


values = st.none() | st.booleans() | st.integers(0, 2) | st.text("ab", max_size=2)
records = st.dictionaries(
    st.sampled_from(["id", "stage", "Stage", "fields", "a_b", "aB"]), values, max_size=4
)
nested = records | st.builds(lambda outer, inner: {**outer, "fields": inner}, records, records)


@settings(max_examples=300, deadline=None)
@given(nested, nested)
def test_every_argument_is_a_change_or_among_the_rest_or_there_already(before, arguments):
    found, rest = changes(before, arguments), unmatched(before, arguments)
    for name, value in arguments.items():
        if isinstance(value, dict):
            for inner, deep in value.items():
                assert any(c.field == inner and c.after is deep for c in found) or _has(before, inner, deep)
        else:
            assert name in rest or any(change.field == name and change.after is value for change in found)
    for change in found:
        same = change.before == change.after and type(change.before) is type(change.after)
        assert change.before is ABSENT or not same


def _has(before, name, value):
    flat = {**before, **(before["fields"] if isinstance(before.get("fields"), dict) else {})}
    plain = name.replace("_", "").casefold()
    return any(k.replace("_", "").casefold() == plain and v == value for k, v in flat.items())
