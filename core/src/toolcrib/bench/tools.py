"""Tools as policy sees them, when they are not at hand: from a list, or from what rows name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolcrib.decisions import Row
from toolcrib.effects import EFFECTS, USE, Act
from toolcrib.errors import PolicyError
from toolcrib.policy import Governed, Policy
from toolcrib.policy._facts import SECRET
from toolcrib.policy._files import read_text

__all__ = ["NamedTool", "named_tools", "read_tools", "tools_of_rows"]


@dataclass(frozen=True, slots=True)
class NamedTool:
    """A tool by name and effect; `pack.*` and `*` stand for any other tool of the pack, or of all.

    `schema` (JSON Schema of the arguments) is None where nobody told it; `fills_defaults` says whether
    arguments that were left out get their defaults before policy sees them, `has_preview` (None where nobody
    told it) whether there is a record before the call.
    """

    name: str
    effect: Act
    labels: frozenset[str] = frozenset()
    idempotent: bool = False
    schema: Mapping[str, Any] | None = field(default=None, compare=False)
    fills_defaults: bool = True
    has_preview: bool | None = field(default=None, compare=False)

    @property
    def pack(self) -> str:
        """The first segment of the name."""
        return self.name.partition(".")[0]


def read_tools(file: Path) -> list[Governed]:
    """What `toolcrib tools list --json` wrote; raises `PolicyError` for anything else."""
    import orjson

    rule = 'a list of tools is JSON: [{"name": "crm.get_record", "effect": "read"}, …]'
    remedy = "Write it with `toolcrib tools list --json`"
    text = read_text(file, rule=rule, remedy=remedy)
    try:
        return named_tools(orjson.loads(text))
    except (orjson.JSONDecodeError, TypeError, KeyError, ValueError, AttributeError) as error:
        what = f"{file} is not a list of tools: {type(error).__name__}: {error}"
        raise PolicyError(what, rule=rule, remedy=remedy) from None


def named_tools(values: Iterable[Mapping[str, Any]]) -> list[Governed]:
    """Tools from dictionaries with `name`, `effect` and, if need be, `labels`, `idempotent`, `schema`,
    `fills_defaults` and `preview`; raises `ValueError`, `KeyError` or `TypeError`.
    """
    found: dict[str, Governed] = {}
    for value in values:
        name, effect = value["name"], value["effect"]
        if not isinstance(name, str) or effect not in EFFECTS:
            raise ValueError(f"name {name!r} with effect {effect!r}")
        found[name] = NamedTool(
            name,
            effect,
            frozenset(value.get("labels") or ()),
            bool(value.get("idempotent")),
            _schema(name, value.get("schema")),
            bool(value.get("fills_defaults", True)),
            _preview(name, value.get("preview")),
        )
    return list(found.values())


def _preview(name: str, value: Any) -> bool | None:
    """Whether a list's tool has a preview; lists of before have nothing to say of it."""
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"the preview of {name} is not true or false")
    return value


def _schema(name: str, value: Any) -> Mapping[str, Any] | None:
    """The schema of a list's tool, if it has one."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TypeError(f"the schema of {name} is no object")
    import jsonschema_rs

    try:
        # Its form only, by the current draft: no reference is followed, and no dialect is fetched.
        jsonschema_rs.meta.validate({key: one for key, one in value.items() if key != "$schema"})
    except ValueError as error:
        raise ValueError(f"the schema of {name} is not one: {str(error).splitlines()[0]:.200}") from None
    return value


def tools_of_rows(policies: Sequence[Policy], tools: Iterable[Governed] = ()) -> list[Governed]:
    """What rows name beyond `tools`, once for each effect, since a row does not say which one the tool has.

    `pack.*` and `*` stand for the tools that nobody named.
    """
    known = {tool.name for tool in tools}
    rows = [row for policy in policies for row in policy.rows if row.kind != "g"]
    names = {row.values[2] for row in rows if not row.values[2].startswith(SECRET)}
    names |= {f"{name.partition('.')[0]}.*" for name in names if name != "*"} | {"*"}
    found: list[Governed] = [NamedTool(name, effect) for name in sorted(names - known) for effect in EFFECTS]
    return found + _secrets_of(rows)


def _secrets_of(rows: Iterable[Row]) -> list[Governed]:
    """The secrets that rows name, and `secret:*` for all others where a row on everything is for their
    use.
    """
    objects = {row.values[2] for row in rows}
    named = {name for name in objects if name.startswith(SECRET)}
    named |= {f"{name.partition('.')[0]}.*" for name in named}
    if named or any(row.values[2:4] == ("*", USE) for row in rows):
        named.add(f"{SECRET}*")
    return [NamedTool(name, USE) for name in sorted(named)]
