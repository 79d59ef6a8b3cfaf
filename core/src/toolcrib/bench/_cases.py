"""From a parsed table to cases: who asks for what, and what policy must say."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import yaml

from toolcrib._nearest import did_you_mean
from toolcrib.bench._arguments import defaults, unknown
from toolcrib.bench._known_tools import KnownTool
from toolcrib.bench._table_files import Broken, check_keys, plain
from toolcrib.effects import EFFECTS, USE
from toolcrib.errors import ConfigError
from toolcrib.policy import NO_PREVIEW, OPEN, Facts
from toolcrib.policy._facts import SECRET
from toolcrib.principal import Principal
from toolcrib.sandboxed import FIELDS, sandbox_facts

__all__ = ["CASE_KEYS", "TABLE_KEYS", "TOOL_KEYS", "Case", "read_cases"]

TABLE_KEYS = ("tenant", "tools", "cases")
TOOL_KEYS = ("effect", "labels", "idempotent", "preview")
CASE_KEYS = (
    "name", "tenant", "user", "agent", "session", "tool", "effect", "arguments", "before", "labels",
    "sandbox", "now", "expect", "by", "not_by", "row",
)  # fmt: skip
_VERDICTS = ("allow", "deny", "review")
_LEFT_OUT = object()
_BEGIN = "Write cases:, and below it - name: …"


@dataclass(frozen=True, slots=True)
class Case:
    """One call and what policy must say of it. `rows` are beginnings of rows; `no_row`: none may decide."""

    name: str
    line: int
    principal: Principal
    tool: KnownTool
    facts: Facts
    expect: str
    by: tuple[str, ...] = ()
    not_by: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    no_row: bool = False


@dataclass(slots=True)
class _Table:
    """What cases of one table share; `tools` are the installed ones, `stated` those that the table states.

    `labels` are those that rows name.
    """

    tenant: str
    tools: dict[str, KnownTool]
    labels: Collection[str]
    stated: dict[str, KnownTool] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)


def read_cases(
    root: yaml.Node | None, tools: Mapping[str, KnownTool], labels: Collection[str] = ()
) -> Iterator[Case | Broken]:
    """The cases of a table, and what is wrong with those that are none; raises `Broken` for the table.

    `tools` are the installed ones by name, `labels` those that the policy's rows name.
    """
    if root is None:
        raise Broken("the table is empty", "a table has cases", _BEGIN)
    fields = _fields(root, TABLE_KEYS, "a table")
    table = _Table(_text(fields.get("tenant"), "tenant", "default"), dict(tools), labels)
    for name, node in _mapping(fields.get("tools"), "tools").items():
        table.stated[name] = _stated(name, node, table)
    cases = fields.get("cases")
    if cases is None or not isinstance(cases, yaml.SequenceNode) or not cases.value:
        line = _line(cases or root)
        raise Broken(
            "the table has no cases", "a table has a list of cases", "Write - name: … below cases:", line
        )
    for node in cases.value:
        try:
            yield _case(node, table)
        except Broken as broken:
            broken.case = _name_of(node)
            yield broken


def _name_of(node: yaml.Node) -> str:
    """The name of a case that may have any mistake; nothing where it cannot be told."""
    if not isinstance(node, yaml.MappingNode):
        return ""
    names = [value.value for key, value in node.value if key.value == "name"]
    return names[0] if names and isinstance(names[0], str) else ""


# --- nodes --------------------------------------------------------------------------------------------


def _line(node: yaml.Node | None) -> int:
    line: int = node.start_mark.line if node else -1
    return line + 1


def _fields(node: yaml.Node, known: Sequence[str], what: str) -> dict[str, yaml.Node]:
    """The values of a mapping by key; unknown keys are refused with the nearest right one."""
    if not isinstance(node, yaml.MappingNode):
        shown = ", ".join(known[:4])
        raise Broken(f"{what} is no mapping", f"{what} has {shown}, …", "Write KEY: value lines", _line(node))
    check_keys(node)
    for key, _ in node.value:
        if key.value not in known:
            rule = f"{what} has {', '.join(known)}"
            remedy = did_you_mean(key.value, known)
            raise Broken(f"unknown key {key.value[:80]!r}", rule, remedy, _line(key))
    return {key.value: value for key, value in node.value}


def _mapping(node: yaml.Node | None, name: str) -> dict[str, yaml.Node]:
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise Broken(f"{name} is no mapping", f"{name} maps names", "Write NAME: value", _line(node))
    check_keys(node)
    return {key.value: value for key, value in node.value}


def _text(node: yaml.Node | None, name: str, default: str = "") -> str:
    if node is None:
        return default
    value = plain(node)
    if not isinstance(value, str) or not value:
        remedy = (
            "Put it into quotes" if isinstance(value, bool | int | float) else "Fill it in, or remove the key"
        )
        raise Broken(f"{name} is {value!r:.60}", f"{name} is text", remedy, _line(node))
    return value


def _texts(node: yaml.Node | None, name: str) -> tuple[str, ...]:
    if node is None:
        return ()
    if isinstance(node, yaml.SequenceNode):
        return tuple(_text(one, name) for one in node.value)
    return (_text(node, name),)


def _choice(node: yaml.Node | None, name: str, choices: Sequence[str]) -> str:
    text = _text(node, name)
    if node is not None and text not in choices:
        rule = f"{name} is {', '.join(choices)}"
        raise Broken(f"{name} is {text!r:.60}", rule, did_you_mean(text.lower(), choices), _line(node))
    return text


def _record(node: yaml.Node | None, name: str) -> Mapping[str, Any]:
    value = {} if node is None else plain(node)
    if not isinstance(value, dict):
        remedy = "Write {NAME: value}, or remove the key"
        raise Broken(f"{name} is {value!r:.60}", f"{name} maps names to values", remedy, _line(node))
    return value


def _flag(node: yaml.Node | None, name: str) -> bool:
    value = False if node is None else plain(node)
    if not isinstance(value, bool):
        raise Broken(
            f"{name} is {value!r:.60}", f"{name} is true or false", "Write true or false", _line(node)
        )
    return value


# --- tools --------------------------------------------------------------------------------------------


def _stated(name: str, node: yaml.Node, table: _Table) -> KnownTool:
    """A tool of the table's `tools`: `crm.get_record: read`, or a mapping."""
    if isinstance(node, yaml.ScalarNode):
        return _agreeing(name, _choice(node, "effect", EFFECTS), node, table)
    fields = _fields(node, TOOL_KEYS, "a tool")
    if "effect" not in fields:
        raise Broken(f"{name} has no effect", "a tool has an effect", "Write effect: read", _line(node))
    tool = _agreeing(name, _choice(fields["effect"], "effect", EFFECTS), node, table)
    if tool.name in table.tools:
        return tool
    has_preview = _flag(fields["preview"], "preview") if "preview" in fields else None
    labels = frozenset(_texts(fields.get("labels"), "labels"))
    return KnownTool(
        name, tool.effect, labels, _flag(fields.get("idempotent"), "idempotent"), None, has_preview
    )


def _agreeing(name: str, effect: str, node: yaml.Node, table: _Table) -> KnownTool:
    """The installed tool, if there is one; a table must not state another effect than it has."""
    known = table.tools.get(name) or table.stated.get(name)
    if known is None:
        return KnownTool(name, effect)  # type: ignore[arg-type]
    if known.effect != effect:
        what = f"{name} has the effect {known.effect}, not {effect}"
        raise Broken(what, "a table states a tool's own effect", f"Write {known.effect}", _line(node))
    return known


def _tool(fields: Mapping[str, yaml.Node], table: _Table, line: int) -> KnownTool:
    name = _text(fields.get("tool"), "tool")
    if "effect" in fields:
        acts = (USE,) if name.startswith(SECRET) else EFFECTS
        return _agreeing(name, _choice(fields["effect"], "effect", acts), fields["effect"], table)
    known = table.stated.get(name) or table.tools.get(name)
    if known is None:
        names = {*table.tools, *table.stated}
        remedy = "Write effect: read|write|send|destructive"
        if names and (guess := did_you_mean(name, names)).startswith("Did"):
            remedy = f"{guess} Else w{remedy[1:]}"
        rule = "rows are chosen by the tool's effect"
        raise Broken(f"no tool {name!r} is installed or stated", rule, remedy, _line(fields["tool"]))
    return known


# --- cases --------------------------------------------------------------------------------------------


def _case(node: yaml.Node, table: _Table) -> Case:
    fields, line = _fields(node, CASE_KEYS, "a case"), _line(node)
    for needed in ("name", "agent", "tool", "expect"):
        if needed not in fields:
            raise Broken(f"the case has no {needed}", f"a case has {needed}", f"Add {needed}:", line)
    name = _text(fields["name"], "name")
    if table.names.setdefault(name, line) != line:
        what = f"the name {name!r:.80} stands there twice (first in line {table.names[name]})"
        raise Broken(what, "cases are known by their names", "Choose another name", line)
    expect = _choice(fields["expect"], "expect", _VERDICTS)
    for key in ("by", "not_by"):
        if key in fields and expect != "review":
            what = f"{key} with expect: {expect}"
            raise Broken(
                what, f"{key} belongs to a review", "Remove it, or expect: review", _line(fields[key])
            )
    tool = _tool(fields, table, line)
    rows = _texts(fields.get("row"), "row")
    return Case(
        name, line, _principal(fields, table, line), tool, _facts(fields, tool, table), expect,
        _people(fields, "by"), _people(fields, "not_by"),
        () if rows == ("none",) else rows, rows == ("none",),
    )  # fmt: skip


def _people(fields: Mapping[str, yaml.Node], key: str) -> tuple[str, ...]:
    return tuple(one.removeprefix("user:") for one in _texts(fields.get(key), key))


def _principal(fields: Mapping[str, yaml.Node], table: _Table, line: int) -> Principal:
    agent, user = _text(fields["agent"], "agent"), _text(fields.get("user"), "user") or None
    tenant = _text(fields.get("tenant"), "tenant", table.tenant)
    session = _text(fields.get("session"), "session", "default")
    try:
        return Principal(agent.removeprefix("agent:"), user and user.removeprefix("user:"), tenant, session)
    except ConfigError as error:
        raise Broken(error.what, error.rule or "who asks has a plain id", error.remedy, line) from None


def _facts(fields: Mapping[str, yaml.Node], tool: KnownTool, table: _Table) -> Facts:
    arguments = _arguments(fields.get("arguments"), tool)
    labels = _labels(fields.get("labels"), table)
    sandbox = _sandbox(fields["sandbox"]) if "sandbox" in fields else None
    facts = Facts(arguments, labels, _before(fields.get("before"), tool), sandbox, _now(fields.get("now")))
    if tool.sandbox is not None:
        tool.sandbox.fill(facts, tool.schema)
    return facts


def _labels(node: yaml.Node | None, table: _Table) -> frozenset[str]:
    """What the session has seen: where the installed tools are known, labels that one of them could give.

    Those that rows name are taken too: whether a tool gives them is for lint to say.
    """
    labels = frozenset(_texts(node, "labels"))
    given = {label for tool in (*table.tools.values(), *table.stated.values()) for label in tool.labels}
    unknown = sorted(labels.difference(given, table.labels)) if table.tools else ()
    if unknown:
        rule = "labels come from what tools return"
        remedy = did_you_mean(unknown[0], given.union(table.labels))
        remedy += " Or state the tool that gives it, below tools:"
        what = f"no tool labels what it returns {unknown[0]!r:.60}, and no row names it"
        raise Broken(what, rule, remedy, _line(node))
    return labels


def _sandbox(node: yaml.Node) -> Mapping[str, Any]:
    given = _record(node, "sandbox")
    for name in given:
        if name not in FIELDS:
            rule = f"the fields of a sandbox are {', '.join(FIELDS)}"
            raise Broken(f"sandbox has no {name!r:.60}", rule, did_you_mean(name, FIELDS), _line(node))
    return sandbox_facts(given)


def _arguments(node: yaml.Node | None, tool: KnownTool) -> Mapping[str, Any]:
    """What policy will see: those given, and the defaults of those left out.

    What the tool requires may be missing: a case says what matters to it.
    """
    given = _record(node, "arguments")
    if node is not None and (found := unknown(tool, given)):
        name, names = found
        rule = f"the arguments of {tool.name} are {', '.join(names)}" if names else f"{tool.name} has none"
        what = f"{tool.name} has no argument {name!r:.60}"
        raise Broken(what, rule, did_you_mean(name, names), _line(node))
    return {**defaults(tool), **given}


def _before(node: yaml.Node | None, tool: KnownTool) -> Any:
    """The record as it stands. Left out: there is none, or, of a tool that has a preview, it is not known."""
    value = _LEFT_OUT if node is None else plain(node)
    if value is _LEFT_OUT:
        return OPEN if tool.has_preview else NO_PREVIEW
    if value is not None and not isinstance(value, dict):
        remedy = "Write {NAME: value}, or null where the tool has no preview"
        raise Broken(f"before is {value!r:.60}", "before is a record", remedy, _line(node))
    if value is not None and tool.has_preview is False:
        rule = "a tool without a preview has no before"
        raise Broken(f"{tool.name} has no preview", rule, "Remove before:", _line(node))
    return value


def _now(node: yaml.Node | None) -> datetime | None:
    text = _text(node, "now")
    if node is None:
        return None
    try:
        now = datetime.fromisoformat(text)
    except ValueError:
        now = None
    if now is None or now.tzinfo is None:
        rule = "now is a time with its zone"
        raise Broken(f"now is {text!r:.60}", rule, 'Write "2026-03-02T10:00:00Z"', _line(node))
    return now
