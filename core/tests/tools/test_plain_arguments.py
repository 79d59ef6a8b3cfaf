"""Arguments that JSON holds as they are take a short way, on which nothing may differ."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, PlainSerializer

from toolcrib._schema import read_signature
from toolcrib.errors import InvalidArguments
from toolcrib.tools import Target


class Stage(enum.StrEnum):
    WON = "won"


def arguments_of(function: Callable[..., Any]) -> Any:
    return read_signature(function, "local.f", (Target,)).arguments


def short(a: int, b: str, c: float, d: bool, e: str | None = None, f: int = 7) -> None:
    """Short."""


def long(a: int, b: str, c: float, d: bool, e: str | None = None, f: int = 7, g: date | None = None) -> None:
    """The same, with one parameter that takes the long way."""


ANY = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=5), st.booleans(), st.none())
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 99).map(str)
SHORT, LONG = arguments_of(short), arguments_of(long)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"a": NUMBERS | ANY, "b": st.text(), "c": st.floats() | NUMBERS, "d": st.booleans() | ANY},
        optional={"e": st.none() | st.text(), "f": NUMBERS | ANY},
    )
)
def test_both_ways_say_the_same(given: dict[str, Any]) -> None:
    raw = orjson.dumps(given)
    try:
        slow = LONG.freeze("local.f", raw)
    except InvalidArguments as error:
        with pytest.raises(InvalidArguments) as other:
            SHORT.freeze("local.f", raw)
        assert str(other.value) == str(error)
        return
    quick = SHORT.freeze("local.f", raw)
    rest = {"g": None}
    assert {**quick.plain, **rest} == slow.plain
    assert {**quick.values, **rest} == dict(slow.values)
    assert orjson.loads(quick.canonical) == quick.plain


def shouted(text: str) -> str:
    return f"{text}!"


@pytest.mark.parametrize(
    ("hint", "given", "plain"),
    [
        (Stage, "won", "won"),
        (date, "2026-11-28", "2026-11-28"),
        (Decimal, "1.50", "1.50"),
        (list[int], ["1"], [1]),
        (bytes, "text", "text"),
        (Annotated[str, PlainSerializer(lambda value: value.upper())], "text", "TEXT"),
        (Annotated[str, AfterValidator(shouted)], "text", "text!"),
        (Annotated[int, Field(ge=1)], "3", 3),
        (Annotated[str, Target], "text", "text"),
    ],
)
def test_every_other_type_is_written_as_json_writes_it(hint: Any, given: Any, plain: Any) -> None:
    def function(value: Any) -> None:
        """F."""

    function.__annotations__["value"] = hint
    frozen = arguments_of(function).freeze("local.f", orjson.dumps({"value": given}))
    assert frozen.plain == {"value": plain}
    assert orjson.loads(frozen.canonical) == {"value": plain}


def test_a_default_that_is_not_plain_is_written_as_json_writes_it() -> None:
    def function(value: str = Stage.WON) -> None:
        """F."""

    frozen = arguments_of(function).freeze("local.f", b"{}")
    assert type(frozen.plain["value"]) is str
    assert orjson.loads(frozen.canonical) == {"value": "won"}


def test_what_the_tool_gets_cannot_change_what_was_decided() -> None:
    frozen = SHORT.freeze("local.f", b'{"a":1,"b":"x","c":1.5,"d":true}')
    before = dict(frozen.plain)
    (lambda **values: values.update(a=2))(**frozen.values)
    assert frozen.plain == before


def test_the_digest_is_that_of_the_canonical_bytes() -> None:
    one = SHORT.freeze("local.f", b'{"a":1,"b":"x","c":1.5,"d":true}')
    other = SHORT.freeze("local.f", b'{"d":true,"c":1.5,"b":"x","a":"1","f":7}')
    assert one.digest == other.digest == one.digest
    assert one.digest != SHORT.freeze("local.f", b'{"a":2,"b":"x","c":1.5,"d":true}').digest
