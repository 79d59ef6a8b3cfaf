"""Rows against installed tools: real ones, made by `@tool`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from toolcrib.bench._known_tools import KnownTool
from toolcrib.bench.lint import lint_text
from toolcrib.bench.tools import NamedTool
from toolcrib.policy import MODEL
from toolcrib.sandboxed import Sandboxed
from toolcrib.tools import Preview, Tool, Toolkit, declared_tool, tool, tools_of

Lint = Callable[..., Any]
ROWS = (
    "g, user:dana, lead, acme",
    "g, user:eve, lead, acme",
    "p, *, acme, *, *, True, allow",
    "p2, *, acme, *, *, r.ctx.now.hour > 20, lead",
)


class CRM(Toolkit):
    @tool(effect="read", labels={"untrusted"})
    async def get(self, id: str, limit: int = 10) -> str:
        """A record."""
        return id

    @tool(effect="write", preview=Preview("get", id="id"), aliases=("put",))
    async def update(self, id: str, amount: float, note: str | None = None, kind: str = "a") -> str:
        """Change a record."""
        return id

    @tool(effect="send")
    async def mail(self, to: str, changes: dict[str, Any]) -> str:
        """Send a mail."""
        return to


TOOLS: list[Tool] = tools_of(CRM(), pack="crm")


@pytest.fixture
def ids(lint: Lint) -> Callable[..., list[str]]:
    def look(row: str, tools: Any = TOOLS) -> list[str]:
        return [one.id for one in lint(*ROWS, row, tools=tools) if one.id not in ("TC303", "TC503", "TC505")]

    return look


# --- objects and effects ---


@pytest.mark.parametrize("name", ["crm.*", "crm.get", "*"])
def test_an_object_that_is_there(ids: Any, name: str) -> None:
    assert ids(f"p, *, acme, {name}, read, True, allow") == []


def test_an_object_that_matches_no_tool(ids: Any, lint: Lint) -> None:
    assert ids("p, *, acme, crm.gets, read, True, deny") == ["TC601"]
    assert ids("p, *, acme, cmr.*, read, True, deny") == ["TC601"]
    assert ids("p3, *, acme, crm.gets, 1/day per user") == ["TC601"]
    found = lint(*ROWS, "p, *, acme, crm.gets, read, True, deny", tools=TOOLS)[-1]
    assert (found.what, found.remedy) == ("no installed tool is crm.gets", "Did you mean 'crm.get'?")
    assert (found.line, found.column) == (5, 13)


def test_an_alias_is_no_object(lint: Lint) -> None:
    found = lint(*ROWS, "p, *, acme, crm.put, write, True, deny", tools=TOOLS)[-1]
    assert found.remedy == "It is an old name, which rows do not know: write crm.update"


def test_tools_that_programs_add_cannot_be_known(ids: Any) -> None:
    assert ids("p, *, acme, local.price, read, True, deny") == []
    assert ids("p, *, acme, local.*, read, True, deny") == []


def test_an_effect_that_no_such_tool_has(ids: Any, lint: Lint) -> None:
    assert ids("p, *, acme, crm.mail, write, True, deny") == ["TC602"]
    assert ids("p, *, acme, crm.*, destructive, True, deny") == ["TC602"]
    assert ids("p, *, acme, crm.mail, send, True, deny") == []
    assert ids("p, *, acme, *, destructive, True, deny") == []
    found = lint(*ROWS, "p, *, acme, crm.mail, write, True, deny", tools=TOOLS)[-1]
    assert (found.remedy, found.column) == ("Write send", 23)


def test_without_tools_it_says_that_it_did_not_look() -> None:
    rows = "\n".join([*ROWS, "p, *, acme, nothing.x, read, r.ctx.args.y > 1, deny"])
    for none in (None, []):
        assert [one.id for one in lint_text(MODEL, rows, none)] == ["TC600"]


# --- arguments ---


def reads(condition: str, scope: str = "crm.*, *") -> str:
    return f"p, *, acme, {scope}, {condition}, deny"


@pytest.mark.parametrize(
    "condition",
    [
        "r.ctx.args.amount > 5",
        "r.ctx.args.amount == 5",
        "r.ctx.args.amount > 5 and has(r.ctx, 'args.amount')",
        "has(r.ctx, 'args.amount') or r.ctx.args.amount > 5",
        "has(r.ctx, 'args.note') and r.ctx.args.amount > 5",
        "not has(r.ctx, 'args.amount') and r.ctx.args.amount > 5",
        "r.ctx.args.amount is None",
    ],
)
def test_an_argument_that_some_covered_tool_lacks(ids: Any, condition: str) -> None:
    assert ids(reads(condition)) == ["TC603"]


@pytest.mark.parametrize(
    "condition",
    [
        "has(r.ctx, 'args.amount') and r.ctx.args.amount > 5",
        "not has(r.ctx, 'args.amount') or r.ctx.args.amount > 5",
        "not (not has(r.ctx, 'args.amount') or False) and r.ctx.args.amount > 5",
        "has(r.ctx, 'args.amount') and (r.ctx.user == 'x' or r.ctx.args.amount > 5)",
        "(has(r.ctx, 'args.amount') and r.ctx.user == 'x') and r.ctx.args.amount > 5",
    ],
)
def test_an_argument_that_is_guarded(ids: Any, condition: str) -> None:
    assert ids(reads(condition)) == []


def test_an_argument_that_every_covered_tool_requires(ids: Any) -> None:
    assert ids(reads("r.ctx.args.amount > 5", "crm.update, *")) == []
    assert ids(reads("r.ctx.args.amount > 5", "crm.*, write")) == []
    assert ids(reads("r.ctx.args.amount > 5", "*, *")) == ["TC603"]


def test_a_default_is_filled_in_and_null_is_not_enough_for_everything(ids: Any) -> None:
    assert ids(reads("r.ctx.args.limit > 5", "crm.get, *")) == []
    assert ids(reads("r.ctx.args.kind == 'b'", "crm.update, *")) == []
    assert ids(reads("r.ctx.args.note == 'b'", "crm.update, *")) == []
    assert ids(reads("r.ctx.args.note in ('b', 'c')", "crm.update, *")) == []
    assert ids(reads("'b' in r.ctx.args.note", "crm.update, *")) == ["TC603"]
    assert ids(reads("r.ctx.args.note is not None and 'b' in r.ctx.args.note", "crm.update, *")) == []


def test_fields_of_a_free_record_may_be_absent(ids: Any) -> None:
    assert ids(reads("r.ctx.args.changes.amount > 5", "crm.mail, *")) == ["TC603"]
    assert ids(reads("has(r.ctx, 'args.changes.amount') and r.ctx.args.changes.amount > 5", "*, *")) == []


def test_it_says_which_tool_and_where(lint: Lint) -> None:
    found = lint(*ROWS, reads("r.ctx.user == 'x' and r.ctx.args.amount > 5"), tools=TOOLS)[-1]
    assert found.severity == "error"
    assert found.what.startswith("r.ctx.args.amount is read unguarded, and crm.get has no such argument")
    assert "(and 1 more)" in found.what
    assert found.remedy.startswith('Ask first: has(r.ctx, "args.amount") and')
    assert found.column == 45


def test_the_finding_is_true(lint: Lint) -> None:
    """What lint calls unguarded really denies, and what it calls guarded does not."""
    from toolcrib.policy import Facts, Policy
    from toolcrib.principal import Principal

    principal, get = Principal("writer", "alice", "acme"), TOOLS[0]
    verdicts = {}
    for condition in ("r.ctx.args.amount > 5", "has(r.ctx, 'args.amount') and r.ctx.args.amount > 5"):
        rows = "\n".join([*ROWS, reads(condition)])
        policy = Policy.of(MODEL, rows)
        decision = policy.decide(policy.candidates(principal, get), Facts({"id": "1"}, before=None))
        verdicts[decision.verdict] = [
            one.id for one in lint_text(MODEL, rows, TOOLS) if one.severity == "error"
        ]
    assert verdicts == {"deny": ["TC603"], "allow": []}


def test_an_optional_argument_of_a_declared_schema_may_be_absent(ids: Any) -> None:
    async def call(values: Any) -> None: ...

    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "default": 1}, "m": {"$ref": "#/$defs/M"}},
        "required": ["m"],
        "$defs": {"M": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}},
    }
    declared = declared_tool("d", description="D.", schema=schema, effect="read", call=call)
    assert ids(reads("r.ctx.args.n > 1", "local.d, *"), tools=[declared]) == ["TC603"]
    assert ids(reads("r.ctx.args.m.x > 1", "local.d, *"), tools=[declared]) == []
    assert ids(reads("r.ctx.args.m.y > 1", "local.d, *"), tools=[declared]) == ["TC603"]


def test_of_a_tool_without_a_schema_nothing_is_said(ids: Any) -> None:
    named = [NamedTool("crm.get", "read")]
    assert ids(reads("r.ctx.args.amount > 5"), tools=named) == []
    assert ids(reads("r.ctx.before.stage == 'x'"), tools=named) == []
    assert ids("p, *, acme, crm.put, read, True, deny", tools=named) == ["TC601"]


def test_reviews_are_looked_at_too(ids: Any) -> None:
    assert ids("p2, *, acme, crm.*, *, r.ctx.args.amount > 5, lead") == ["TC603"]


# --- before and labels ---


def test_before_of_a_tool_without_a_preview(ids: Any, lint: Lint) -> None:
    condition = "r.ctx.before.stage == 'x'"
    assert ids(reads(condition, "crm.update, *")) == []
    assert ids(reads(condition)) == ["TC604"]
    assert ids(reads(f"has(r.ctx, 'before.stage') and {condition}")) == []
    found = lint(*ROWS, reads(condition), tools=TOOLS)[-1]
    assert "crm.get has no preview (and 1 more)" in found.what


def test_a_label_that_no_tool_gives(ids: Any, lint: Lint) -> None:
    assert ids(reads("'untrusted' in r.ctx.labels")) == []
    assert ids(reads("'untrusted' in r.ctx.tool.labels")) == []
    assert ids(reads("'untrused' in r.ctx.labels")) == ["TC605"]
    found = lint(*ROWS, reads("'untrused' in r.ctx.labels"), tools=TOOLS)[-1]
    assert found.remedy == "Did you mean 'untrusted'?"


SANDBOXED = KnownTool("crm.run", "read", schema={"properties": {}}, sandbox=Sandboxed())
PLAIN = KnownTool("crm.get", "read", schema={"properties": {}})


def test_a_sandbox_that_some_covered_tool_has_not_is_an_error(ids: Any) -> None:
    row = "p, lead, acme, crm.*, read, r.ctx.sandbox.memory > 512, deny"
    assert "TC606" in ids(row, tools=[SANDBOXED, PLAIN])
    assert "TC606" not in ids(row, tools=[SANDBOXED])
    guarded = row.replace("r.ctx", 'has(r.ctx, "sandbox.memory") and r.ctx', 1)
    assert "TC606" not in ids(guarded, tools=[SANDBOXED, PLAIN])


@pytest.mark.parametrize(
    ("when", "covered"), [("r.ctx.sandbox.memory < 512", False), ("r.ctx.now.hour < 12", True)]
)
def test_a_row_that_grants_more_than_the_default_is_not_covered_by_a_silent_one(
    when: str, covered: bool
) -> None:
    rows = ("p, lead, acme, crm.*, read, True, allow", f"p, lead, acme, crm.run, read, {when}, allow")
    found = {one.id for one in lint_text(MODEL, "\n".join((*ROWS[:2], *rows)) + "\n", [SANDBOXED])}
    assert ("TC303" in found) == covered
