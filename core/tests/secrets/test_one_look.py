"""The quick look that most records get: it may send too much on to the thorough search, never too little."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolcrib.secrets import Redactor, Secret
from toolcrib.secrets._known import SMALL, Known

VALUE = "correct-horse-battery-staple"
LONG = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 8
TOKEN = "ghp_" + "a1B2" * 9  # of GitHub's shape
ODD = ";;;;\\;"
"""A value of which folding leaves too little: it is looked for literally, also as JSON in JSON writes it."""


def known_of(*values: str, shapes: bool = True) -> Known:
    known = Known(shapes=shapes)
    for number, value in enumerate(values):
        known.learn(value, f"[secret:p/{number}]")
    return known


def redactor_of(*values: str) -> Redactor:
    redactor = Redactor()
    for number, value in enumerate(values):
        redactor.learn(Secret(value, path=f"p/{number}", version=1))
    return redactor


PIECES = st.sampled_from([VALUE, TOKEN, LONG[40:100], "ghp_", "00d", "eyJ", "task-", " ", "x", "AKIA", "://"])


@settings(deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=8), st.sampled_from([0, SMALL - 40, SMALL, 3 * SMALL]))
def test_what_it_lets_through_holds_nothing(pieces: list[str], filler: int) -> None:
    known = known_of(VALUE, LONG)
    data = ("." * filler + "".join(pieces)).encode("utf-8", "surrogatepass")
    if not known.suspect(data):
        assert known.search(data) == []


@pytest.mark.parametrize("before", [0, SMALL - len(VALUE), SMALL - 5, SMALL, SMALL + 1])
@pytest.mark.parametrize("planted", [VALUE, TOKEN])
def test_a_value_is_seen_wherever_it_stands(before: int, planted: str) -> None:
    redactor = redactor_of(VALUE)
    text = "." * before + f" {planted} "
    assert planted not in redactor.clean(text)
    assert planted not in redactor.clean(text + "\\")
    assert planted not in json.dumps(redactor.clean_value({"a": text}, orjson.dumps({"a": text})))


@pytest.mark.parametrize("harmless", ["ghp_short", "task-1", "00d1", "https://acme.example/a", "eyJ"])
def test_the_mark_of_a_token_alone_is_let_through(harmless: str) -> None:
    known = known_of(VALUE)
    assert not known.suspect(harmless.encode())
    assert redactor_of(VALUE).clean(harmless) == harmless


def test_a_value_that_was_learned_last_is_seen_too() -> None:
    known = known_of(*(f"value-{number:04d}-of-many" for number in range(100)), VALUE, shapes=False)
    for value in ("value-0000-of-many", "value-0099-of-many", VALUE):
        assert known.suspect(f"a {value} b".encode()), value
    assert not known.suspect(b"a value of none of them b")


LEAVES = st.sampled_from([VALUE, TOKEN, VALUE[:9], VALUE[9:], 'a"b', "\n", "plain", 7, None, True, 1.5])
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", VALUE, TOKEN]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(DOCUMENTS)
def test_a_document_is_cleaned_alike_with_and_without_its_bytes(document: Any) -> None:
    redactor = redactor_of(VALUE)
    cleaned = redactor.clean_value(document, orjson.dumps(document))
    assert cleaned == redactor.clean_value(document)
    assert VALUE not in json.dumps(cleaned) and TOKEN not in json.dumps(cleaned)


def test_a_document_that_holds_nothing_is_handed_back_itself() -> None:
    document = {"a": ["b", 1, None]}
    assert redactor_of(VALUE).clean_value(document, orjson.dumps(document)) is document


@pytest.mark.parametrize("depth", range(4))
def test_a_value_of_punctuation_is_found_in_json_in_json(depth: int) -> None:
    text = ODD
    for _ in range(depth):
        text = json.dumps(text)[1:-1]
    redactor = redactor_of(ODD)
    assert redactor.clean(f"a {text} b") == "a [secret:p/0] b"
    assert redactor.clean("a ;;;; b \\ ;") == "a ;;;; b \\ ;"
