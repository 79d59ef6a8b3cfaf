"""Nothing hides: what does not show as itself is shown as its code."""

from __future__ import annotations

import unicodedata

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from toolcrib.approvals import ABSENT
from toolcrib.approvals._visible import looks_foreign, name_of, one_line, readable, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("Müller & Søn, 東京", "Müller & Søn, 東京"),
        ("\x1b[2J\x1b[31m", "\\x1b[2J\\x1b[31m"),
        ("a\x07b\x08c\x7f", "a\\x07b\\x08c\\x7f"),
        ("safe\rEVIL", "safe\\rEVIL"),
        ("\x9b31m", "\\x9b31m"),
        ("gnp.\u202etxt", "gnp.\\u202etxt"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("pay\u200bpal", "pay\\u200bpal"),
        ("\ufeffx", "\\ufeffx"),
        ("\U000e0041", "\\U000e0041"),
        ("a\u2028b", "a\\u2028b"),
        ("a\xa0b", "a\\xa0b"),
        ("a\x00b", "a\\x00b"),
        ("a\tb", "a    b"),
        ("a\nb", "a\nb"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_hides_is_shown_as_its_code(text, shown):
    assert visible(text) == shown


@settings(max_examples=400, deadline=None)
@given(st.text())
def test_what_is_shown_holds_nothing_that_acts(text):
    shown = visible(text)
    for char in shown:
        assert char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("text", ["text"]),
        ("two\nlines", ["two", "lines"]),
        ("", ['""']),
        ("12", ['"12"']),
        ("true", ['"true"']),
        ("null", ['"null"']),
        (" padded ", ['" padded "']),
        ("(not set)", ['"(not set)"']),
        (12, ["12"]),
        (True, ["true"]),
        (None, ["null"]),
        (ABSENT, ["(not set)"]),
        ([], ["[]"]),
        ({}, ["{}"]),
        (["a", "b"], ["• a", "• b"]),
        ({"a": 1, "b": "x"}, ["a: 1", "b: x"]),
        ({"a": {"b": 1}}, ["a:", "  b: 1"]),
        ({"tags": ["x", "y"]}, ["tags:", "  • x", "  • y"]),
        ([{"a": 1, "b": 2}, "c"], ["• a: 1", "  b: 2", "• c"]),
        ({"a": "one\ntwo"}, ["a: one", "  two"]),
        ({"k\nfake: 1": 2}, ["k\\nfake: 1: 2"]),
    ],
)
def test_values_are_lines_for_people(value, lines):
    assert readable(value).split("\n") == lines


def test_what_json_cannot_hold_is_still_shown():
    assert "object" in readable(object())


def test_a_long_value_says_what_is_left_out():
    text = readable("x" * 10_000)
    assert text.startswith("x" * 4_000)
    assert "6,000 more characters" in text
    assert "--json" in text


def test_a_prompt_default_is_one_line_and_short():
    assert one_line("a\nb") == "a\\nb"
    assert one_line("x" * 100) == "x" * 59 + "…"
    assert one_line(["a", "b"]) == '["a","b"]'
    assert one_line("\x1b[2J") == "\\x1b[2J"


def test_a_name_is_one_line():
    assert name_of("to\nApproved: yes\x1b") == "to\\nApproved: yes\\x1b"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ceo@paypal.example", ""),
        ("ceo@pаypal.example", "ceo@p\\u0430ypal.example"),
        ("Müller", "M\\xfcller"),
        ("Herr Müller aus Köln", ""),
    ],
)
def test_look_alikes_in_addresses_are_told(text, found):
    assert looks_foreign(text) == found
