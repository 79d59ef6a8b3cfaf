"""What may stand in a record, and that its bytes are canonical."""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import datetime
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.audit._record import MAX_RECORD, RESERVED, canonical, encode
from toolcrib.errors import AuditError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_a_plain_record_is_sorted_and_without_blanks():
    assert encode({"kind": "intent", "a": [1, {"z": None, "b": "ü"}]}) == (
        '{"a":[1,{"b":"ü","z":null}],"kind":"intent"}'.encode()
    )


@pytest.mark.parametrize("made", [OrderedDict, MappingProxyType, dict])
def test_any_mapping_will_do(made):
    assert encode(made({"kind": "intent"})) == b'{"kind":"intent"}'


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_the_logs_own_fields_are_refused(name):
    with pytest.raises(AuditError, match=f"it uses {name}"):
        encode({"kind": "intent", name: 1})


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_but_only_at_the_top(name):
    assert name.encode() in encode({"kind": "intent", "arguments": {name: 1}})


@pytest.mark.parametrize("kind", [None, "", 3, "log", ["intent"]])
def test_a_record_names_its_kind_and_never_speaks_for_the_log(kind):
    with pytest.raises(AuditError, match="its kind is"):
        encode({"kind": kind})


def test_a_record_without_a_kind_is_refused():
    with pytest.raises(AuditError, match="its kind is None"):
        encode({"call": "c1"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: {"a": {"b": (None, v)}}])
def test_nan_and_infinity_are_refused_wherever_they_stand(value, wrap):
    with pytest.raises(AuditError, match="NaN or infinity"):
        encode({"kind": "intent", "arguments": wrap(value)})


def test_null_and_the_word_null_are_not_nan():
    assert (
        encode({"kind": "intent", "a": None, "b": ["null", 1.5]})
        == b'{"a":null,"b":["null",1.5],"kind":"intent"}'
    )


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", {1: 2}, datetime(2026, 1, 1), 2**64, "\ud800"],
    ids=["object", "set", "bytes", "int-key", "datetime", "huge", "surrogate"],
)
def test_what_is_not_json_is_refused(value):
    with pytest.raises(AuditError, match="audit record refused"):
        encode({"kind": "intent", "arguments": value})


def test_a_record_that_holds_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(AuditError, match="refused"):
        encode({"kind": "intent", "arguments": loop})


def test_the_largest_record_passes_and_one_byte_more_does_not():
    room = MAX_RECORD - len(encode({"kind": "intent", "a": ""}))
    assert len(encode({"kind": "intent", "a": "x" * room})) == MAX_RECORD
    with pytest.raises(AuditError, match=f"{MAX_RECORD + 1:,} bytes"):
        encode({"kind": "intent", "a": "x" * (room + 1)})


def test_the_error_names_what_rule_and_remedy():
    with pytest.raises(AuditError) as caught:
        encode({"kind": "intent", "seq": 1})
    assert caught.value.what and caught.value.rule and "Nothing was written" in caught.value.remedy


@given(JSON)
def test_canonical_bytes_are_a_fixed_point_and_say_the_same(value):
    data = canonical(value)
    assert canonical(json.loads(data)) == data
    assert json.loads(data) == value


@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=5))
def test_equal_objects_have_equal_bytes_whatever_their_order(value):
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@given(JSON)
def test_no_line_end_and_no_zero_ever_stands_in_a_record(value):
    assert not {0, 10, 13} & set(canonical(value))
