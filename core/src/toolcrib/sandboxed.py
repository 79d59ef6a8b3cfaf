"""What a tool that runs code asks of its sandbox, as policy sees it: `r.ctx.sandbox`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolcrib.errors import PackError
from toolcrib.sandbox import MIB, Limits

if TYPE_CHECKING:
    from toolcrib.policy import Facts

__all__ = ["FIELDS", "Sandboxed", "Targets", "sandbox_facts"]

FIELDS = ("memory", "disk", "wall", "cpus", "processes", "egress")
"""Below `r.ctx.sandbox`; `memory` and `disk` in MiB, `wall` in seconds, `egress` a set of `host:port`."""

_PLAIN = Limits()
_UNASKED: Mapping[str, Any] = {
    "memory": _PLAIN.memory // MIB,
    "disk": _PLAIN.disk // MIB,
    "wall": _PLAIN.wall,
    "cpus": _PLAIN.cpus,
    "processes": _PLAIN.processes,
    "egress": (),
}


class Targets(frozenset[str]):
    """A set of `host:port` that a condition may hold against a list, as conditions have no sets.

    `r.ctx.sandbox.egress <= ["api.example:443"]` reads: nothing but what the list names.
    """

    def __le__(self, other: object) -> bool:
        return frozenset.__le__(self, _as_set(other))

    def __lt__(self, other: object) -> bool:
        return frozenset.__lt__(self, _as_set(other))

    def __ge__(self, other: object) -> bool:
        return frozenset.__ge__(self, _as_set(other))

    def __gt__(self, other: object) -> bool:
        return frozenset.__gt__(self, _as_set(other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, frozenset | set | list | tuple) and frozenset.__eq__(self, _as_set(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = frozenset.__hash__


def _as_set(other: object) -> frozenset[Any]:
    if isinstance(other, frozenset | set | list | tuple):
        return frozenset(other)
    raise TypeError("a set of targets is compared with a list")  # the condition raises, so the call is denied


@dataclass(frozen=True, slots=True, init=False)
class Sandboxed:
    """Says which arguments of a tool are limits of its sandbox: `Sandboxed(memory="memory", wall="seconds")`.

    What no argument sets stands at the sandbox's defaults. An argument's own default is what every allow row
    of the tool grants; more is granted only by a row that speaks of that field. Raises `PackError` for an
    unknown field.
    """

    arguments: Mapping[str, str]

    def __init__(self, **arguments: str) -> None:
        if unknown := sorted(arguments.keys() - set(FIELDS)):
            raise PackError(
                f"a sandboxed tool has the limit {unknown[0]!r}",
                rule=f"limits are {', '.join(FIELDS)}",
                remedy="Write Sandboxed(memory='NAME OF THE ARGUMENT')",
            )
        object.__setattr__(self, "arguments", dict(arguments))

    def facts(self, given: Mapping[str, Any], schema: Mapping[str, Any] | None) -> dict[str, Any]:
        """`r.ctx.sandbox` of a call; arguments that were left out count as their defaults."""
        asked = {field: given.get(name) for field, name in self.arguments.items()}
        known = {field: value for field, value in asked.items() if value is not None}
        return sandbox_facts({**_UNASKED, **self.defaults(schema), **known})

    def fill(self, facts: Facts, schema: Mapping[str, Any] | None) -> None:
        """Let a call's facts say what it asks of its sandbox, as far as they do not say so already."""
        facts.sandbox = self.facts(facts.arguments, schema) | sandbox_facts(facts.sandbox or {})
        facts.beyond = self.beyond(facts.sandbox, schema)

    def defaults(self, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        """What a call gets that asks for nothing, by field, as far as its arguments say so."""
        shapes = (schema or {}).get("properties", {})
        defaults = {field: shapes.get(name, {}).get("default") for field, name in self.arguments.items()}
        return {field: value for field, value in defaults.items() if value is not None}

    def beyond(self, facts: Mapping[str, Any], schema: Mapping[str, Any] | None) -> dict[str, Any]:
        """The fields in which a call asks for more than its tool's defaults, and those defaults."""
        usual = sandbox_facts({**_UNASKED, **self.defaults(schema)})
        return {
            field: usual[field] for field in FIELDS if field in facts and not _within(facts, usual, field)
        }


def _within(facts: Mapping[str, Any], usual: Mapping[str, Any], field: str) -> bool:
    try:
        return bool(facts[field] <= usual[field])
    except TypeError:  # a test's text where a number belongs: certainly not within
        return False


def sandbox_facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` as conditions read it: `egress` as a set, in lower case."""
    facts = dict(given)
    egress = facts.get("egress")
    if isinstance(egress, Iterable) and not isinstance(egress, str):
        facts["egress"] = Targets(str(each).lower() for each in egress)
    return facts
