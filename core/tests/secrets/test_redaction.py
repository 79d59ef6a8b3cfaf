"""No value that was handed out is left in what was cleaned, however the usual encodings write it."""

import base64
import html
import json
import re
import threading
import urllib.parse

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolcrib.errors import ToolcribWarning
from toolcrib.secrets import Redactor, Secret

AWKWARD = 'p"ä/s+s\\w\n0rd&<%>'


def redactor_of(*values):
    redactor = Redactor()
    for number, value in enumerate(values):
        redactor.learn(Secret(value, path=f"p/{number}", version=1))
    return redactor


def test_while_nothing_is_learned_everything_is_handed_back_as_it_is():
    redactor, value = Redactor(), {"a": [1]}
    text = "x" * 1000
    assert redactor.clean(text) is text
    assert redactor.clean_value(value) is value
    data = b"\xff"
    assert redactor.clean_bytes(data) is data


def test_a_value_is_replaced_by_its_path_wherever_it_stands():
    redactor = redactor_of("hunter2-hunter2")
    assert redactor.clean("hunter2-hunter2,xhunter2-hunter2y") == "[secret:p/0],x[secret:p/0]y"
    assert redactor.clean("hunter2-hunter") == "hunter2-hunter"


ENCODINGS = {
    "raw": lambda v: v,
    "json": lambda v: json.dumps(v),
    "json, not ascii": lambda v: json.dumps(v, ensure_ascii=False),
    "orjson": lambda v: orjson.dumps(v).decode(),
    "json with slashes escaped": lambda v: json.dumps(v).replace("/", "\\/"),
    "repr": repr,
    "url": lambda v: urllib.parse.quote(v, safe=""),
    "url path": urllib.parse.quote,
    "url form": lambda v: urllib.parse.urlencode({"q": v}),
    "url in lower case": lambda v: re.sub("%..", lambda hit: hit[0].lower(), urllib.parse.quote(v, safe="")),
    "html": html.escape,
    "base64": lambda v: base64.b64encode(v.encode()).decode(),
    "base64 for urls": lambda v: base64.urlsafe_b64encode(v.encode()).decode(),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_usual_encodings_are_found(name):
    encoded = ENCODINGS[name](AWKWARD)
    cleaned = redactor_of(AWKWARD).clean(f"before {encoded} after")
    assert "[secret:p/0]" in cleaned
    assert encoded not in cleaned
    assert cleaned.startswith("before ") and cleaned.endswith(" after")


@pytest.mark.parametrize("user", ["u", "us", "use", "user"])
@pytest.mark.parametrize("after", ["", "x", "xy", "xyz"])
def test_basic_credentials_are_found_at_every_alignment(user, after):
    value = "correct-horse-battery"
    header = base64.b64encode(f"{user}:{value}{after}".encode()).decode()
    cleaned = redactor_of(value).clean(f"Basic {header}")
    assert "[secret:p/0]" in cleaned
    rest = cleaned.removeprefix("Basic ").replace("[secret:p/0]", "")
    assert len(rest) <= len(base64.b64encode(f"{user}:{after}".encode())) + 4  # a few bits at either edge


def test_the_longer_of_two_values_wins_and_overlaps_go_together():
    redactor = redactor_of("abcdef", "abcdefghij", "hijklmnop")
    assert redactor.clean("abcdefghij") == "[secret:p/1]"
    assert redactor.clean("-abcdefghijklmnop-") == "-[secret:p/1]-"
    assert redactor.clean("abcdefabcdef") == "[secret:p/0][secret:p/0]"


def test_a_json_document_counts_as_its_leaves_too():
    document = {"username": "svc@acme.example", "password": "correct horse", "pin": 12345678, "on": True}
    redactor = redactor_of(json.dumps(document))
    assert redactor.clean("login svc@acme.example / correct horse / 12345678") == (
        "login [secret:p/0] / [secret:p/0] / [secret:p/0]"
    )
    assert redactor.clean("true None on") == "true None on"


def test_half_a_surrogate_pair_in_a_document_does_no_harm():
    assert redactor_of('{"a": "broken \\ud800 pair"}').clean("a broken \ud800 pair") == "a [secret:p/0]"


def test_what_only_looks_like_a_document_is_a_value():
    assert redactor_of("{not json at all").clean("a {not json at all b") == "a [secret:p/0] b"


def test_a_short_value_is_left_alone_with_a_warning_that_does_not_show_it():
    redactor = Redactor()
    with pytest.warns(ToolcribWarning, match="'p/short' has fewer than 6 characters") as caught:
        redactor.learn(Secret("q1w2e", path="p/short", version=1))
    assert "q1w2e" not in str(caught[0].message)
    assert redactor.clean("q1w2e") == "q1w2e"


def test_bytes_are_cleaned_and_foreign_bytes_stay():
    redactor = redactor_of("hunter2-hunter2")
    assert redactor.clean_bytes(b"\xff hunter2-hunter2 \x00") == b"\xff [secret:p/0] \x00"


def test_json_values_are_cleaned_in_keys_and_at_any_depth():
    redactor = redactor_of("hunter2-hunter2", "4929123456")
    value = {
        "a": ["x hunter2-hunter2", {"hunter2-hunter2": 1}],
        "n": 4929123456,
        "f": 1.5,
        "z": None,
    }
    assert redactor.clean_value(value) == {
        "a": ["x [secret:p/0]", {"[secret:p/0]": 1}],
        "n": "[secret:p/1]",
        "f": 1.5,
        "z": None,
    }
    assert "hunter2-hunter2" in value["a"][1]  # the original is not touched


def test_keys_that_become_equal_lose_no_entry():
    redactor = redactor_of("hunter2-hunter2", "other-password")
    redactor.learn(Secret("third-password", path="p/0", version=2))
    cleaned = redactor.clean_value({"hunter2-hunter2": 1, "third-password": 2})
    assert cleaned == {"[secret:p/0]": 1, "[secret:p/0]#2": 2}


def test_the_same_value_learned_twice_changes_nothing():
    redactor = redactor_of("hunter2-hunter2", "hunter2-hunter2")
    assert redactor.clean("hunter2-hunter2") == "[secret:p/0]"


def test_learning_and_cleaning_in_several_threads():
    redactor, problems = Redactor(), []

    def work(number):
        value = f"value-number-{number:03d}-end"
        redactor.learn(Secret(value, path=f"p/{number}", version=1))
        if value in redactor.clean(f"a {value} b"):
            problems.append(value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert all(f"value-number-{n:03d}" not in redactor.clean(f"value-number-{n:03d}-end") for n in range(24))


CHARACTERS = st.characters(codec="utf-8", exclude_characters="[]:p/0123456789secrt")  # none of a label's
VALUES = st.text(CHARACTERS, min_size=6, max_size=20)
TEXTS = st.text(max_size=20)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4), st.lists(TEXTS, min_size=1, max_size=4), st.data())
def test_after_cleaning_no_value_is_left(values, fillers, data):
    redactor = redactor_of(*values)
    pieces = data.draw(st.lists(st.sampled_from([*values, *fillers]), max_size=8))
    cleaned = redactor.clean("".join(pieces))
    assert not [value for value in values if value in cleaned]


@settings(deadline=None)
@given(VALUES, DOCUMENTS)
def test_a_json_value_without_secrets_keeps_its_meaning(value, document):
    redactor = redactor_of(value)
    if redactor.clean(json.dumps(document)) == json.dumps(document):
        assert redactor.clean_value(document) == document


@settings(deadline=None)
@given(VALUES, TEXTS, TEXTS)
def test_bytes_and_text_are_cleaned_alike(value, before, after):
    redactor, text = redactor_of(value), f"{before}{value}{after}"
    assert redactor.clean_bytes(text.encode()) == redactor.clean(text).encode()
