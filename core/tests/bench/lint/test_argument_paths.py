"""Conditions on arguments that a tool cannot have: a deny row with one would silently never fire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import BaseModel

from toolcrib.bench._argument_paths import known_names, may_have, may_lack
from toolcrib.bench._known_tools import KnownTool
from toolcrib.bench.lint import Finding
from toolcrib.bench.tools import NamedTool
from toolcrib.tools import Tool, Toolkit, declared_tool, tool, tools_of

ROWS = ("g, user:dana, lead, acme", "p, *, acme, *, *, True, allow")


class Address(BaseModel):
    """A record whose fields are declared, and that drops any other."""

    city: str
    zip: str = ""


class CRM(Toolkit):
    @tool(effect="read")
    async def get(self, record_id: str) -> str:
        """A record."""
        return record_id

    @tool(effect="write", aliases=("put",))
    async def update(
        self, record_id: str, changes: dict[str, Any], address: Address, note: str | None = None
    ) -> str:
        """Change a record."""
        return record_id


TOOLS: list[Tool] = tools_of(CRM(), pack="crm")


@pytest.fixture
def found(lint: Callable[..., list[Finding]]) -> Callable[..., list[Finding]]:
    """The findings about arguments of one deny row."""

    def look(condition: str, scope: str = "crm.update, *", tools: Any = TOOLS) -> list[Finding]:
        rows = lint(*ROWS, f"p, *, acme, {scope}, {condition}, deny", tools=tools)
        return [one for one in rows if one.id in ("TC603", "TC609")]

    return look


def test_a_guard_that_asks_for_what_no_tool_has(found: Any) -> None:
    (one,) = found('has(r.ctx, "args.chnges.amount") and r.ctx.args.chnges.amount > 5')
    assert (one.id, one.severity, one.line) == ("TC609", "error", 3)
    assert one.what == "crm.update has no argument chnges: asking for it always answers no"
    assert one.remedy == "Did you mean 'changes'?"
    assert one.column == len('p, *, acme, crm.update, *, has(r.ctx, "') + 1


@pytest.mark.parametrize(
    "condition",
    [
        'has(r.ctx, "args.recordid")',
        'not has(r.ctx, "args.recordid")',
        'r.ctx.user == "eve" or has(r.ctx, "args.recordid")',
        'has(r.ctx, "args.recordid.x")',
        'has(r.ctx, "args.note.text")',
        'has(r.ctx, "args.record_id.x") and r.ctx.args.record_id.x == 1',
    ],
)
def test_wherever_it_is_asked_for(found: Any, condition: str) -> None:
    assert [(one.id, one.severity) for one in found(condition)] == [("TC609", "error")]


@pytest.mark.parametrize(
    "condition",
    [
        'has(r.ctx, "args.changes.amount") and r.ctx.args.changes.amount > 5',
        'has(r.ctx, "args.changes.deep.er")',
        'has(r.ctx, "args.note")',
        'has(r.ctx, "args.address.city")',
        'has(r.ctx, "args")',
        'has(r.ctx, "before.anything")',
    ],
)
def test_what_a_call_can_have_may_be_asked_for(found: Any, condition: str) -> None:
    assert found(condition) == []


def test_of_several_tools_one_that_has_it_is_enough(found: Any) -> None:
    asks = 'has(r.ctx, "args.changes.amount")'
    assert found(asks, "crm.*, *") == []
    assert found(asks, "*, *") == []
    (one,) = found(asks, "crm.*, read")
    assert one.what.startswith("crm.get has no argument changes: ")
    (one,) = found('has(r.ctx, "args.recordid")', "crm.*, *")
    assert (one.severity, one.remedy) == ("error", "Did you mean 'record_id'?")
    assert "(nor have 1 more)" in one.what


def test_tools_that_programs_add_may_have_anything(found: Any) -> None:
    assert [one.severity for one in found('has(r.ctx, "args.recordid")', "*, *")] == ["warning"]
    assert found('has(r.ctx, "args.recordid")', "local.*, *") == []
    assert found('has(r.ctx, "args.recordid")', "local.price, *") == []


def test_an_unguarded_read_says_that_there_is_no_such_argument(found: Any) -> None:
    (one,) = found('r.ctx.args.recordid == "1"')
    assert (one.id, one.severity) == ("TC609", "error")
    assert one.what == "crm.update has no argument recordid: calls are denied"
    (one,) = found("r.ctx.args.recordid == 1", "*, *")
    assert (one.id, one.severity) == ("TC609", "error")


def test_an_unguarded_read_that_one_of_the_tools_has(found: Any) -> None:
    (one,) = found('r.ctx.args.note == "x"', "crm.*, *")
    assert one.id == "TC603"
    assert "crm.get has no such argument: calls would be denied" in one.what


def test_an_argument_that_is_only_optional_is_no_missing_one(found: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
    (one,) = found("r.ctx.args.a > 1", "local.d, *", [declared(schema)])
    assert one.id == "TC603"
    assert "local.d does not require it" in one.what


def test_each_mistake_is_told_once(found: Any) -> None:
    twice = 'has(r.ctx, "args.recordid") and r.ctx.args.recordid == 1 and has(r.ctx, "args.nte")'
    assert [one.what.split(":")[0] for one in found(twice)] == [
        "crm.update has no argument recordid", "crm.update has no argument nte"
    ]  # fmt: skip


def test_of_a_record_with_declared_fields_it_warns(found: Any) -> None:
    """The schema does not say that the record has no others, though it keeps no others."""
    (one,) = found('has(r.ctx, "args.address.town")')
    assert (one.severity, one.remedy) == ("warning", "There is: city, zip")


def test_of_tools_without_a_schema_nothing_is_said(found: Any) -> None:
    assert found('has(r.ctx, "args.x")', tools=[NamedTool("crm.update", "write")]) == []
    assert found('has(r.ctx, "args.x")', "crm.*, *", [*TOOLS, NamedTool("crm.more", "write")]) == []


# --- schemas that tools bring themselves ---


def declared(schema: Mapping[str, Any]) -> Tool:
    async def call(values: Any) -> None: ...

    return declared_tool("d", description="D.", schema=schema, effect="read", call=call)


def known(schema: Mapping[str, Any], *, fills: bool = False) -> KnownTool:
    return KnownTool("local.d", "read", schema=schema, fills=fills)


CLOSED = {"type": "object", "additionalProperties": False}
REFERS = {
    **CLOSED,
    "properties": {"m": {"$ref": "#/$defs/M"}, "n": {"$ref": "https://example.org/x"}, "o": {"$ref": "#o"}},
    "$defs": {"M": {**CLOSED, "properties": {"x": {"type": "integer"}, "me": {"$ref": "#/$defs/M"}}}},
}


@pytest.mark.parametrize(
    ("say", "schema", "path", "may"),
    [
        ("open, as JSON Schema is", {"type": "object", "properties": {"a": {}}}, "b", True),
        ("closed", {**CLOSED, "properties": {"a": {}}}, "b", False),
        ("listed", {**CLOSED, "properties": {"a": {}}}, "a", True),
        ("listed as never", {"properties": {"a": False}}, "a", False),
        ("others of a type", {"additionalProperties": {"type": "string"}}, "b", True),
        ("below others of a type", {"additionalProperties": {"type": "string"}}, "b.c", False),
        ("by pattern", {**CLOSED, "patternProperties": {"^x": {}}}, "b", True),
        ("in text", {**CLOSED, "properties": {"a": {"type": "string"}}}, "a.b", False),
        ("in text or record", {"properties": {"a": {"type": ["string", "object"]}}}, "a.b", True),
        ("in anything", {**CLOSED, "properties": {"a": {}}}, "a.b.c", True),
        ("in anything, as true", {**CLOSED, "properties": {"a": True}}, "a.b", True),
        ("in one of two", {"anyOf": [CLOSED, {**CLOSED, "properties": {"b": {}}}]}, "b", True),
        ("in none of two", {"oneOf": [CLOSED, {**CLOSED, "properties": {"b": {}}}]}, "c", False),
        ("one of all closes", {"properties": {"b": {}}, "allOf": [CLOSED]}, "b", False),
        ("all are open", {"allOf": [{"properties": {"a": {}}}, {}]}, "b", True),
        ("a reference", REFERS, "m.x", True),
        ("not behind a reference", REFERS, "m.y", False),
        ("behind a reference to itself", REFERS, "m.me.me.y", False),
        ("elsewhere", REFERS, "n.y", True),
        ("by an anchor", REFERS, "o.y", True),
        ("a ring of references", {"$ref": "#"}, "x", True),
    ],
)
def test_what_a_schema_lets_a_call_have(say: str, schema: Mapping[str, Any], path: str, may: bool) -> None:
    assert may_have(known(schema), path.split("."), is_closed=True) == may
    assert may_have(known(schema), path.split(".")) == may


def test_a_schema_that_branches_into_itself_is_looked_at_in_bounded_time() -> None:
    again = {"$ref": "#/$defs/A"}
    schema: dict[str, Any] = {
        **again,
        "$defs": {"A": {"anyOf": [{"allOf": [again] * 30}] * 30, "properties": {"x": again}}},
    }
    assert may_have(known(schema), ["x"] * 50)
    assert may_lack(known(schema), ["x"] * 50, bears_null=True)
    assert known_names(known(schema), ["x"] * 20) == {"x"}


def test_names_are_those_of_every_alternative() -> None:
    schema: dict[str, Any] = {
        "properties": {"m": {"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}}
    }
    assert known_names(known(schema), ["m"]) == {"a", "b"}
    assert known_names(known(schema), []) == {"m"}
    assert known_names(KnownTool("x.y", "read"), []) == set()


def test_the_finding_is_true() -> None:
    """What lint says is never there, no call can have."""
    from toolcrib.errors import InvalidArguments

    update = TOOLS[1]
    given = b'{"record_id": "1", "changes": {}, "address": {"city": "x", "town": "y"}%s}'
    with pytest.raises(InvalidArguments):
        update.arguments.freeze(update.name, given % b', "chnges": {"amount": 9}')
    assert "town" not in update.arguments.freeze(update.name, given % b"").plain["address"]
