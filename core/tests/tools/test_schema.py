"""A tool's schema from its signature and docstring."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib import CallContext, Preview, Sensitive, Target, Tool, Toolkit, tool
from toolcrib._arguments import to_json
from toolcrib.errors import InvalidArguments, PackError
from toolcrib.tools import declared_tool, tools_of


class Stage(enum.Enum):
    OPEN = "Open"
    WON = "Closed Won"


@dataclasses.dataclass
class Node:
    name: str
    children: list[Node] = dataclasses.field(default_factory=list)


def test_every_kind_of_parameter() -> None:
    @tool(effect="write")
    async def act(
        to: Annotated[str, Target],
        stage: Stage,
        day: datetime.date,
        key: Annotated[str, Sensitive],
        amounts: list[float],
        mode: Literal["a", "b"] = "a",
        note: str | None = None,
        tree: Node | None = None,
        *,
        ctx: CallContext,
    ) -> str:
        """Do it.

        And more.

        Args:
            to: Whom,
                on two lines.
            stage: Which stage.
        """
        return ""

    (made,) = tools_of(act)
    properties = made.schema["properties"]
    assert made.name == "local.act"
    assert made.wire_name == "act"
    assert made.description == "Do it.\n\nAnd more."
    assert (made.targets, made.sensitive) == (("to",), ("key",))
    assert made.schema["required"] == ["to", "stage", "day", "key", "amounts"]
    assert made.schema["additionalProperties"] is False
    assert "ctx" not in properties
    assert properties["to"] == {"type": "string", "description": "Whom, on two lines."}
    assert properties["stage"] == {
        "type": "string",
        "enum": ["Open", "Closed Won"],
        "description": "Which stage.",
    }
    assert properties["day"] == {"type": "string", "format": "date"}
    assert properties["mode"] == {"type": "string", "enum": ["a", "b"], "default": "a"}
    assert made.schema["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert "title" not in str(made.schema)


def test_parameters_may_bear_any_name() -> None:
    @tool(effect="read")
    def odd(schema: str, json: int, copy: bool, title: str, properties: str, model_config: str) -> str:
        """Odd names."""
        return f"{schema} {json} {copy} {title} {properties} {model_config}"

    (made,) = tools_of(odd)
    given_ = {"schema": "s", "json": 1, "copy": True, "title": "t", "properties": "p", "model_config": "m"}
    frozen = made.arguments.freeze(made.name, to_json(made.name, given_))
    assert frozen.plain == given_
    assert set(made.schema["properties"]) == set(given_)


def test_google_numpy_and_rest_docstrings_are_read() -> None:
    def google(a: int) -> None:
        """Sum.

        Args:
            a: The number.
        """

    def numpy(a: int) -> None:
        """Sum.

        Parameters
        ----------
        a : int
            The number.
        """

    def rest(a: int) -> None:
        """Sum.

        :param a: The number.
        """

    for function in (google, numpy, rest):
        (made,) = tools_of(tool(effect="read")(function))
        assert made.schema["properties"]["a"]["description"] == "The number."
        assert made.description == "Sum."


def no_annotation(a) -> None:  # type: ignore[no-untyped-def]
    """x."""


def star(*a: int) -> None:
    """x."""


def stars(**a: int) -> None:
    """x."""


def positional(a: int, /) -> None:
    """x."""


def no_docstring(a: int) -> None: ...


def no_json(a: threading_lock) -> None:  # type: ignore[name-defined]  # noqa: F821
    """x."""


def callable_parameter(a: type(lambda: 0)) -> None:  # type: ignore[valid-type]
    """x."""


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (no_annotation, "'a'"),
        (star, r"\*a"),
        (stars, r"\*\*a"),
        (positional, "named one by one"),
        (no_docstring, "no docstring"),
        (no_json, "threading_lock"),
        (callable_parameter, "no JSON form"),
    ],
)
def test_a_function_that_no_model_could_call_is_refused(function: Any, says: str) -> None:
    with pytest.raises(PackError, match=says):
        tools_of(tool(effect="read")(function))


def test_an_unmarked_function_is_no_tool() -> None:
    def plain(a: int) -> None:
        """x."""

    with pytest.raises(PackError, match=r"crib\.adopt"):
        tools_of(plain)


def test_bare_tool_takes_the_effect_at_its_worst() -> None:
    @tool
    def act() -> None:
        """x."""

    assert tools_of(act)[0].effect == "destructive"
    assert act() is None


def test_an_unknown_effect_is_refused() -> None:
    @tool(effect="wrtie")  # type: ignore[arg-type]
    def act() -> None:
        """x."""

    with pytest.raises(PackError, match="wrtie"):
        tools_of(act)


def test_a_toolkit_gives_its_marked_methods() -> None:
    class Kit(Toolkit):
        @tool(effect="read")
        async def one(self, a: int) -> int:
            """One."""
            return a

        @tool(effect="write", name="second", aliases=["deux"], preview=Preview("one", given={"x": 1}, a="b"))
        async def two(self, b: int) -> int:
            """Two."""
            return b

        async def helper(self) -> None:
            """No tool."""

    one, two = tools_of(Kit(), pack="kit", pack_version="1.0")
    assert (one.name, two.name, two.aliases) == ("kit.one", "kit.second", ("kit.deux",))
    assert two.preview is not None
    assert two.preview.arguments({"b": 5}) == {"x": 1, "a": 5}
    with pytest.raises(PackError, match="no tools"):
        tools_of(type("Empty", (Toolkit,), {})())


def fingerprint(**changes: Any) -> str:
    facts = {
        "description": "d",
        "schema": {"type": "object", "properties": {"a": {"type": "string"}}},
        "effect": "read",
    }
    return declared_tool("t", call=lambda values: None, **{**facts, **changes}).fingerprint  # type: ignore[arg-type,return-value]


def test_the_fingerprint_covers_description_schema_and_effect() -> None:
    same = fingerprint()
    assert fingerprint() == same
    assert fingerprint(description="D") != same
    assert fingerprint(effect="write") != same
    assert fingerprint(schema={"type": "object", "properties": {"a": {"type": "integer"}}}) != same


def declared() -> Tool:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1}, "free": {}},
        "required": ["n"],
        "additionalProperties": False,
    }
    return declared_tool("d", description="d", schema=schema, effect="read", call=lambda values: values)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "required"),
        ({"n": 0}, "'n'"),
        ({"n": "1"}, "'n'"),
        ({"n": 1, "x": 1}, "'x'"),
        ({"n": 1.5}, "integer"),
    ],
)
def test_a_declared_schema_is_checked(arguments: dict[str, Any], says: str) -> None:
    made = declared()
    with pytest.raises(InvalidArguments, match=says):
        made.arguments.freeze(made.name, to_json(made.name, arguments))


def test_a_declared_schema_lets_fitting_arguments_through() -> None:
    made = declared()
    assert made.arguments.freeze(made.name, to_json(made.name, {"n": 2})).plain == {"n": 2}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), [1, float("nan")], {"a": {"b": float("-inf")}}])
def test_numbers_that_json_lacks_are_refused_wherever_they_hide(bad: Any) -> None:
    with pytest.raises(InvalidArguments, match="not a JSON number"):
        to_json("t", {"n": 1, "free": bad})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@tool(effect="read")
def anything(value: Any) -> None:
    """Takes anything."""


ANYTHING = tools_of(anything)[0]


@given(JSON)
def test_freezing_keeps_every_json_value_and_its_digest(value: Any) -> None:
    first = ANYTHING.arguments.freeze("t", to_json("t", {"value": value}))
    again = ANYTHING.arguments.freeze("t", first.canonical)
    assert first.plain == {"value": value}
    assert again.canonical == first.canonical
    assert again.digest == first.digest


@given(JSON, JSON)
def test_different_values_have_different_digests(one: Any, two: Any) -> None:
    digests = [ANYTHING.arguments.freeze("t", to_json("t", {"value": value})).digest for value in (one, two)]
    same = to_json("t", {"value": one}) == to_json("t", {"value": two})
    assert (digests[0] == digests[1]) is same


def test_a_first_paragraph_of_several_lines_stays_one_paragraph() -> None:
    @tool(effect="read")
    def look(what: str) -> str:
        """Look at one thing and at what
        belongs to it.

        It changes nothing.

        Args:
            what: Which thing.
        """
        return what

    (made,) = tools_of(look)
    assert made.description == "Look at one thing and at what\nbelongs to it.\n\nIt changes nothing."


class Toys(Toolkit):
    @tool(effect="read")
    async def look(self, box: str = "red") -> str:
        """Look into a box."""
        return box


def test_a_schema_that_somebody_changed_is_not_what_the_next_toolkit_gets() -> None:
    (first,), (second,) = tools_of(Toys(), pack="toys"), tools_of(Toys(), pack="toys")
    first.schema["properties"]["box"]["default"] = "blue"
    del first.schema["additionalProperties"]
    (third,) = tools_of(Toys(), pack="toys")
    assert second.schema == third.schema
    assert third.schema["properties"]["box"]["default"] == "red"
    assert first.fingerprint == second.fingerprint == third.fingerprint


def test_one_function_is_read_for_each_way_in_which_it_is_used() -> None:
    """A method takes itself only where it is not bound; an error names the tool that was asked for."""
    (bound,) = tools_of(Toys(), pack="toys")
    assert bound.schema["properties"].keys() == {"box"}
    for pack in ("boxes", "chests"):
        with pytest.raises(PackError, match=rf"tool '{pack}.look' has no type for its parameter 'self'"):
            tools_of(Toys.look, pack=pack)


def test_a_function_that_says_something_else_is_read_again() -> None:
    """Whatever a signature is made of; otherwise a lock would be held against what a pack said before."""

    @tool(effect="read")
    async def look(box: Stage, count: int = 1) -> str:
        """Look."""
        return ""

    def said() -> tuple[str, dict[str, Any]]:
        (made,) = tools_of(look)
        return made.fingerprint, made.schema["properties"]

    told = [said()]
    assert said() == told[0]
    look.__doc__ = "Look, and then drop everything."
    told.append(said())
    look.__defaults__ = (True,)  # equal to 1
    told.append(said())
    look.__defaults__ = ([],)
    told.append(said())
    look.__defaults__[0].append(7)
    told.append(said())
    look.__annotations__["box"] = "Node"
    told.append(said())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "Node", Literal["won"])
        told.append(said())
    assert len({fingerprint for fingerprint, _ in told}) == len(told)
    assert told[2][1]["count"]["default"] is True
    assert told[4][1]["count"]["default"] == [7]


def test_a_parameter_may_have_the_name_of_anything_that_a_class_has() -> None:
    @tool(effect="read")
    async def look(mro: str, schema: int, copy: bool = False, fields: str = "all") -> str:
        """Look."""
        return ""

    (made,) = tools_of(look)
    assert made.schema["required"] == ["mro", "schema"]
    assert "description" not in made.schema
    frozen = made.arguments.freeze("look", b'{"mro": "a", "schema": 1}')
    assert frozen.plain == {"mro": "a", "schema": 1, "copy": False, "fields": "all"}
