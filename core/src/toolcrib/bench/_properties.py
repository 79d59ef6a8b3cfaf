"""`properties.toml`: what must hold of a policy, whoever asks and with whatever arguments."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toolcrib._nearest import did_you_mean
from toolcrib.bench.tools import NamedTool
from toolcrib.effects import EFFECTS, Effect
from toolcrib.errors import ConfigError, PolicyError
from toolcrib.packs._settings import parse
from toolcrib.policy import Governed
from toolcrib.policy._files import read_text

__all__ = [
    "KINDS",
    "AlwaysReviewed",
    "Kind",
    "NeverAllowed",
    "NeverBoth",
    "Only",
    "Properties",
    "Property",
    "UntrustedNeverSends",
    "read_properties",
]

_Of: TypeAlias = Literal["roles", "users", "agents"]
Side: TypeAlias = Literal["user", "agent", "either"]


@dataclass(frozen=True, slots=True)
class NeverBoth:
    """Nobody may do two of `tools` (`pack.tool` or `pack.*`). `of`: whose rows are looked at."""

    tools: list[str]
    of: list[Literal["roles", "users", "agents"]] = field(
        default_factory=lambda: ["roles", "users", "agents"]
    )


@dataclass(frozen=True, slots=True)
class AlwaysReviewed:
    """A p2 row without a condition asks for somebody: `other` than the requester, `anyone`, or one of a list
    of roles and `user:ID`s.
    """

    by: Literal["other", "anyone"] | list[str] = "other"
    tools: list[str] = field(default_factory=lambda: ["*"])
    effects: list[Effect] = field(default_factory=lambda: ["destructive"])


@dataclass(frozen=True, slots=True)
class UntrustedNeverSends:
    """Who may read what carries one of `labels` may call no tool of `effects` without a review.

    With `across_agents` reader and sender may be two agents of one user, who share a session.
    """

    labels: list[str] = field(default_factory=lambda: ["untrusted"])
    effects: list[Effect] = field(default_factory=lambda: ["send"])
    across_agents: bool = False


@dataclass(frozen=True, slots=True)
class NeverAllowed:
    """Nobody in `to` (`user:ID`, `agent:NAME`, a role, `*`) may call these tools, reviewed or not."""

    to: list[str] = field(default_factory=lambda: ["*"])
    tools: list[str] = field(default_factory=lambda: ["*"])
    effects: list[Effect] = field(default_factory=lambda: list(EFFECTS))


@dataclass(frozen=True, slots=True)
class Only:
    """Only who is or holds one of `to` may call these tools; `side` says who must: the user, the agent, or
    one of them.
    """

    to: list[str]
    tools: list[str] = field(default_factory=lambda: ["*"])
    effects: list[Effect] = field(default_factory=lambda: list(EFFECTS))
    side: Side = "user"


Kind: TypeAlias = NeverBoth | AlwaysReviewed | UntrustedNeverSends | NeverAllowed | Only

KINDS: Mapping[str, type[Kind]] = {
    "never_both": NeverBoth,
    "always_reviewed": AlwaysReviewed,
    "untrusted_never_sends_unreviewed": UntrustedNeverSends,
    "never_allowed": NeverAllowed,
    "only": Only,
}


@dataclass(frozen=True, slots=True)
class Property:
    """One property: `kind` is its name in the file, `rule` what it says; in `tenants`, or in all."""

    name: str
    kind: str
    rule: Kind
    tenants: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Properties:
    """The file: its properties, and tools that need not be installed."""

    properties: Sequence[Property]
    tools: Sequence[Governed] = ()


_WHAT = "properties are a TOML file, `properties.toml` in the policy's folder unless another is named"
_WHERE = "Name the right file or folder, or write one: docs/reference/policy-check.md"


def read_properties(file: Path) -> Properties:
    """Read a properties file strictly; raises `PolicyError` that names the place and the right key."""
    try:
        data = tomllib.loads(read_text(file, rule=_WHAT, remedy=_WHERE))
    except tomllib.TOMLDecodeError as error:
        raise _bad(file, f"it does not parse: {error}", "properties are TOML", "Correct the file") from None
    _known(file, "the file", data, ("property", "tools"))
    given = data.get("property", [])
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        remedy = "Begin each with [[property]], give it a name and one of " + ", ".join(KINDS)
        raise _bad(file, "there is no property", "a file without properties would check nothing", remedy)
    properties = [_property(file, number, one) for number, one in enumerate(given, 1)]
    names = [one.name for one in properties]
    for name in names:
        if names.count(name) > 1:
            raise _bad(file, f"two properties are named {name!r}", "names tell them apart", "Rename one")
    return Properties(properties, _tools(file, data.get("tools", {})))


def _property(file: Path, number: int, table: dict[str, Any]) -> Property:
    place = f"property {number}"
    _known(file, place, table, ("name", "tenants", *KINDS))
    kinds = [key for key in table if key in KINDS]
    name, tenants = table.get("name"), table.get("tenants")
    if not isinstance(name, str) or not name.strip():
        raise _bad(file, f"{place} has no name", "a property is told by its name", 'Write name = "…"')
    if len(kinds) != 1:
        rule = f"each has exactly one of {', '.join(KINDS)}"
        raise _bad(file, f"{name!r} has {len(kinds)} of them", rule, "Write one [[property]] for each")
    if tenants is not None and not _is_texts(tenants):
        raise _bad(file, f"{name!r}: tenants is no list of tenants", "tenants are names", "Write a list")
    if tenants is not None and (not tenants or "*" in tenants):
        what = "tenants names no tenant" if tenants else "tenants is empty"
        raise _bad(file, f"{name!r}: {what}", "it would check nothing", "Leave it out for all tenants")
    return Property(name, kinds[0], _rule(file, name, kinds[0], table[kinds[0]]), tenants)


def _rule(file: Path, name: str, kind: str, value: Any) -> Kind:
    if value is True and kind in ("untrusted_never_sends_unreviewed", "always_reviewed"):
        value = {}
    if isinstance(value, list) and kind == "never_both":
        value = {"tools": value}
    try:
        rule = parse(KINDS[kind], value, f"[{kind}]")
    except ConfigError as error:
        raise _bad(file, f"{name!r}: {error.what}", error.rule or "", error.remedy or "") from None
    if isinstance(rule, NeverBoth) and len(rule.tools) < 2:
        raise _bad(file, f"{name!r} names one tool", "two things nobody may both do", "Name two or more")
    for field_name in ("tools", "to", "effects", "labels", "of", "by"):
        if getattr(rule, field_name, None) == []:
            raise _bad(
                file,
                f"{name!r}: {field_name} is empty",
                "it would check nothing",
                "Name some, or leave it out",
            )
    return rule


def _tools(file: Path, table: Any) -> list[Governed]:
    rule = '[tools] says "pack.tool" = { effect = "read", labels = ["untrusted"] }'
    if not isinstance(table, dict):
        raise _bad(file, "tools is no table", rule, "Write [tools]")
    found: list[Governed] = []
    for name, given in table.items():
        if not isinstance(given, dict) or given.get("effect") not in EFFECTS:
            raise _bad(file, f"[tools] {name!r} has no effect", rule, "Effects are " + ", ".join(EFFECTS))
        _known(file, f"[tools] {name!r}", given, ("effect", "labels"))
        if not _is_texts(given.get("labels", [])):
            raise _bad(file, f"[tools] {name!r}: labels is no list of names", rule, "Write a list")
        found.append(NamedTool(name, given["effect"], frozenset(given.get("labels", ()))))
    return found


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _known(file: Path, place: str, table: Mapping[str, Any], names: Sequence[str]) -> None:
    for key in table:
        if key not in names:
            raise _bad(
                file, f"{place}: unknown key {key!r}", f"it has {', '.join(names)}", did_you_mean(key, names)
            )


def _bad(file: Path, what: str, rule: str, remedy: str) -> PolicyError:
    return PolicyError(f"{file.name}: {what}", rule=rule, remedy=remedy)
