"""However a value was written down on its way, and however much of it at once, it is found."""

import base64
import json
import random
import textwrap
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolcrib.secrets import Redactor, Secret
from toolcrib.secrets._fold import _BLOCK, Folded, fold
from toolcrib.secrets._known import MOST_KNOWN
from toolcrib.secrets._levels import Entry

VALUE = "Tk9-uX4/qLm2+Zr8w_Vb"
KEY = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(
    base64.b64encode(bytes((7 * i + 13 * line) % 256 for i in range(48))).decode() for line in range(20)
)
KEY += "\n-----END PRIVATE KEY-----\n"


def redactor_of(*values, shapes=False):
    redactor = Redactor(shapes=shapes)
    for number, value in enumerate(values):
        redactor.learn(Secret(value, path=f"p/{number}", version=1))
    return redactor


FORMS = {
    "hex": lambda v: v.encode().hex(),
    "hex in capitals": lambda v: v.encode().hex().upper(),
    "hex with colons": lambda v: v.encode().hex(":"),
    "base32": lambda v: base64.b32encode(v.encode()).decode(),
    "base32 in small letters": lambda v: base64.b32encode(v.encode()).decode().lower(),
    "in capitals": str.upper,
    "url twice": lambda v: urllib.parse.quote(urllib.parse.quote(v, safe=""), safe=""),
    "url with every byte quoted": lambda v: "".join(f"%{byte:02X}" for byte in v.encode()),
    "the same in small letters": lambda v: "".join(f"%{byte:02x}" for byte in v.encode()),
    "json in json in json": lambda v: json.dumps(json.dumps(json.dumps({"k": f'"{v}"'}))),
    "wrapped": lambda v: f"{v[:9]}\n{v[9:]}",
    "wrapped with CRLF": lambda v: f"{v[:9]}\r\n{v[9:]}",
    "wrapped and escaped": lambda v: json.dumps(f"{v[:9]}\r\n{v[9:]}"),
    "wrapped and indented": lambda v: f"key: |\n    {v[:9]}\n    {v[9:]}",
    "string literals side by side": lambda v: f"'{v[:9]}' '{v[9:]}'",
}


@pytest.mark.parametrize("name", FORMS)
def test_it_is_found_in_this_form(name):
    written = FORMS[name](VALUE)
    cleaned = redactor_of(VALUE).clean(f"before {written} after")
    assert "[secret:p/0]" in cleaned
    left, whole = fold(cleaned.replace("[secret:p/0]", "").encode()), fold(written.encode())
    assert not any(whole[at : at + 12] in left for at in range(len(whole) - 11))


@pytest.mark.parametrize("width", [64, 76])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\\n", "\\r\\n"])
@pytest.mark.parametrize("before", range(0, 80, 7))
def test_base64_of_a_text_with_the_value_is_found_wherever_it_is_wrapped(width, end, before):
    whole = base64.b64encode(f"{'x' * before}{VALUE}{'y' * 100}".encode()).decode()
    cleaned = redactor_of(VALUE).clean(end.join(textwrap.wrap(whole, width)))
    assert "[secret:p/0]" in cleaned
    for part in cleaned.replace(end, "").rstrip("=").split("[secret:p/0]"):
        for start in range(4):
            piece = part[start : start + (len(part) - start) // 4 * 4]
            assert VALUE[2:-2].encode() not in base64.b64decode(piece)


def test_a_key_is_found_whole_and_by_the_line():
    redactor = redactor_of(KEY)
    assert redactor.clean(f"a {KEY} b") == "a [secret:p/0] b"
    assert redactor.clean(json.dumps({"key": KEY})) == '{"key": "[secret:p/0]"}'
    for line in KEY.splitlines()[1:-1]:
        assert redactor.clean(f"line {line}.") == "line [secret:p/0]."


def test_a_key_as_a_list_of_lines_is_found():
    cleaned = redactor_of(KEY).clean_value({"key": KEY.splitlines(), "n": 1})
    assert cleaned["n"] == 1
    assert set(cleaned["key"]) == {"[secret:p/0]"}


def test_a_value_cut_over_the_entries_of_a_list_is_found():
    redactor = redactor_of(VALUE)
    assert redactor.clean_value(["a", VALUE[:7], VALUE[7:], "b"]) == [
        "a",
        "[secret:p/0]",
        "[secret:p/0]",
        "b",
    ]


def test_a_short_value_must_stand_as_it_is():
    redactor = redactor_of("123456", "hunter2")
    assert redactor.clean_value([123, 456]) == [123, 456]
    assert redactor.clean("12 34 56, 123,456, hunt er2") == "12 34 56, 123,456, hunt er2"
    assert redactor.clean("123456 hunter2") == "[secret:p/0] [secret:p/1]"
    assert redactor.clean("hun\\\nter2") == "[secret:p/1]"


def test_a_value_of_nothing_but_punctuation_is_taken_literally():
    redactor = redactor_of('{}[]::""')
    assert redactor.clean('a {}[]::"" b {} []') == "a [secret:p/0] b {} []"
    assert redactor.clean_value({"a": '{}[]::""'}) == {"a": "[secret:p/0]"}


def test_braces_and_quotes_at_its_ends_go_with_it():
    assert (
        redactor_of('"{secret-of-some-length}"').clean('x "{secret-of-some-length}" y') == "x [secret:p/0] y"
    )


def test_what_it_finds_in_a_large_text_stands_where_it_stood():
    filler = 'The quick brown fox, "jumps" over: {the} lazy dog.\n ä€😀 '
    redactor = redactor_of(VALUE)
    for size in (_BLOCK - 9, _BLOCK, 8 * _BLOCK - 9, 8 * _BLOCK + 3):
        before = (filler * (size // 10))[:size]
        assert redactor.clean(f"{before}{VALUE}{filler}") == f"{before}[secret:p/0]{filler}"


def test_a_value_of_a_megabyte_is_found_and_learning_it_is_bearable():
    value = base64.b64encode(random.Random(4).randbytes(750_000)).decode()
    redactor = redactor_of(value)
    assert redactor.clean(f"a {value} b") == "a [secret:p/0] b"
    assert "[secret:p/0]" in redactor.clean(value[300_000:340_000])


def test_the_values_handed_out_longest_ago_are_forgotten():
    redactor = Redactor(shapes=False)
    values = [f"value-{number:06d}-x" for number in range(MOST_KNOWN + 1)]
    known = redactor._known
    known._values.update(
        (value, Entry((), ())) for value in values[1:-1]
    )  # quick: nothing is built for these
    redactor.learn(Secret(values[0], path="p/again", version=1))
    redactor.learn(Secret(values[-1], path="p/last", version=1))
    assert len(known._values) <= MOST_KNOWN
    assert redactor.clean(f"{values[0]} {values[-1]}") == "[secret:p/again] [secret:p/last]"


def test_what_is_handed_out_again_is_not_forgotten(monkeypatch):
    monkeypatch.setattr("toolcrib.secrets._known.MOST_KNOWN", 8)
    redactor = Redactor(shapes=False)
    for number in range(30):
        redactor.learn(Secret("in-use-value", path="p/used", version=1))
        redactor.learn(Secret(f"value-{number:06d}-x", path="p/other", version=1))
    assert redactor.clean("in-use-value") == "[secret:p/used]"
    assert redactor.clean("value-000000-x") == "value-000000-x"
    assert redactor.clean("value-000029-x") == "[secret:p/other]"


def test_many_values_are_found_whether_they_were_learned_before_or_after_the_large_automaton():
    values = [f"{number:04d}-{number * 7919:09d}-end" for number in range(150)]
    redactor = redactor_of(*values)
    assert redactor.clean(" ".join(values)) == " ".join(f"[secret:p/{n}]" for n in range(150))
    redactor.clean("x" * 1_000_000)
    assert redactor.clean(" ".join(values)) == " ".join(f"[secret:p/{n}]" for n in range(150))


def test_a_text_full_of_a_value_is_one_find():
    assert redactor_of("aaaaaaaa").clean("a" * 100_000) == "[secret:p/0]"


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="[]:p/0123456789secrtSECRT"), min_size=6)
TEXTS = st.text(max_size=12)


@settings(deadline=None)
@given(VALUES, TEXTS, TEXTS)
def test_json_at_any_depth_hides_nothing(value, before, after):
    text = before + value + after
    redactor = redactor_of(value)
    for _ in range(3):
        text = json.dumps(text)
        cleaned = redactor.clean(text)
        assert "[secret:p/0]" in cleaned and text[1:-1] not in cleaned


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=2), st.lists(TEXTS, max_size=4), st.data())
def test_a_document_is_cleaned_as_its_texts_are(values, fillers, data):
    redactor = redactor_of(*values)
    pieces = data.draw(st.lists(st.sampled_from([*values, *fillers]), max_size=6))
    document = {"a": pieces, "b": [{text: text} for text in pieces]}
    written = repr(redactor.clean_value(document))
    assert not [value for value in values if repr(value)[1:-1] in written]


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 60), st.integers(1, 60))
def test_the_way_back_from_a_folded_text(data, start, length):
    text = Folded(data)
    folded = fold(data)
    end = min(start + length, len(folded))
    if start < end:
        first, last = text.span(start, end)
        assert folded[start:end] in fold(data[first:last])
        assert len(fold(data[:first])) <= start


@settings(deadline=None)
@given(VALUES, TEXTS)
def test_cleaning_twice_changes_nothing_more(value, text):
    redactor = redactor_of(value, shapes=True)
    once = redactor.clean(text + value + text)
    assert redactor.clean(once) == once
