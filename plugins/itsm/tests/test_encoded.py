"""Encoded queries: whatever a text holds, it is a value, and finds what has it and nothing else.

The queries are read by the fake's own reader, which knows nothing of how they are written.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolcrib.errors import VendorRefused
from toolcrib_itsm import _encoded as encoded
from toolcrib_itsm.testing._encoded_query import run

PIECES = [
    "^", "^OR", "^NQ", "javascript:", "JavaScript :", "\n", "\r", "%", "_", "*", "=", "LIKE", "ISEMPTY",
    "ORDERBY", "active=true", ",", " ", "a", "ß", "İ", "😀", "\u202e", "\x00", "'", '"', "\\", "x",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def find(query, rows):
    def script(value):
        raise AssertionError(f"{value!r} would be run on the server")

    return run(query, rows, lambda row, field: row.get(field, ""), script)


@quick
@given(texts)
def test_a_search_finds_what_has_the_text_and_after_the_look_nothing_else(text):
    rows = [{"a": f"<{text}>", "b": "x1"}, {"a": "", "b": f"{text}!"}, {"a": "other", "b": "words"}, {}]
    try:
        search = encoded.contains(("a", "b"), text)
    except VendorRefused:
        assert not text.replace("^", "").strip() or "javascript" in text.casefold()
        return
    found = find(encoded.all_of([search.query, "ORDERBYa"]), rows)
    kept = [row for row in found if search.exact or search.keeps(row.values())]
    assert all(row in kept for row in rows[:2])
    for row in kept:
        assert any(text.casefold() in value.casefold() for value in row.values())


@quick
@given(texts)
def test_an_equal_finds_its_own_value_or_is_never_asked(text):
    rows = [{"name": text, "active": "true"}, {"name": "other", "active": "true"}, {}]
    query = encoded.equals("name", text)
    if query is None:
        assert "^" in text or text != text.strip() or "javascript" in text.casefold()
        return
    assert find(encoded.all_of([query, "active=true"]), rows) == rows[:1]


@quick
@given(texts, texts)
def test_two_searches_side_by_side_are_both_asked(one, two):
    rows = [{"a": f"{one} {two}"}, {"a": one}, {"a": two}]
    try:
        searches = [encoded.contains(("a",), text) for text in (one, two)]
    except VendorRefused:
        return
    found = find(encoded.all_of([each.query for each in searches]), rows)
    kept = [row for row in found if all(each.exact or each.keeps(row.values()) for each in searches)]
    assert rows[0] in kept
    for row in kept:
        assert one.casefold() in row["a"].casefold() and two.casefold() in row["a"].casefold()


@pytest.mark.parametrize("text", ["^", "^^", "\r\n", "^\n^", "  ^ "])
def test_carets_alone_cannot_be_searched_for(text):
    with pytest.raises(VendorRefused, match="cannot be searched for"):
        encoded.contains(("a",), text)


@pytest.mark.parametrize("value", ["", "a^b", " a", "javascript:x", "javascript:javascript:x", "a "])
def test_a_value_that_cannot_be_asked_for_is_not(value):
    assert encoded.equals("name", value) is None


def test_a_condition_that_is_none_is_left_out():
    assert encoded.all_of(["a=1", None, "", "b=2"]) == "a=1^b=2"
    assert encoded.one_of("id", ["1", "2"]) == "idIN1,2"
