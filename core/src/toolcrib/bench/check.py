"""Properties of a policy over all principals and all tools.

Sound, not complete: what is said to hold holds for every call. A condition is not solved but taken at its
worst: a conditional allow counts as possible, a conditional deny or review does not count as protection
(one exception, `_implied`: a row that asks for the very label in question). So a property may be said to be
violated though no argument leads there; then the witness shows the condition that it hangs on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolcrib.bench._finders import FINDERS
from toolcrib.bench._properties import Properties, Property, UntrustedNeverSends, read_properties
from toolcrib.bench._unnamed import subjects_of, tenants_of, unnamed
from toolcrib.bench._witness import Witness
from toolcrib.bench._world import World, matches
from toolcrib.policy import Governed, Policy
from toolcrib.policy._gentle import spare
from toolcrib.policy._guards import PROPERTIES
from toolcrib.principal import NOBODY

__all__ = [
    "PROPERTIES",
    "Checked",
    "Finding",
    "Properties",
    "Property",
    "Witness",
    "check",
    "check_folder",
    "read_properties",
]

MOST_WITNESSES = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one property: its `witnesses`, the plainest first; none if it holds.

    `notes` say what the answer rests on.
    """

    about: Property
    witnesses: tuple[Witness, ...]
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.witnesses


@dataclass(frozen=True, slots=True)
class Checked:
    """All properties of a file, on one revision; `tools` are counted, `tenants` those that were looked at."""

    revision: str
    findings: tuple[Finding, ...]
    tools: int
    tenants: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether all of them do."""
        return all(one.holds for one in self.findings)


def check(
    policy: Policy, properties: Properties, tools: Sequence[Governed] = (), tenant: str = ""
) -> Checked:
    """Look whether the properties hold. `tools` are the installed ones, before those of the file; `tenant` is
    the crib's.

    Raises `PolicyError` for a custom model, whose rows only its matcher understands.
    """
    installed = {tool.name: tool for tool in tools}
    known = {**{tool.name: tool for tool in properties.tools}, **installed}
    world = spare(World(policy, known.values(), _mentioned(properties), tenant))
    stale = [_stale(one, installed[one.name]) for one in properties.tools if one.name in installed]
    stale = [note for note in stale if note]
    findings = tuple(_finding(world, one, stale) for one in properties.properties)
    looked_at = (tenant for one in properties.properties for tenant in world.tenants(one.tenants))
    tenants = tuple(dict.fromkeys(tenant.name for tenant in looked_at))
    return Checked(policy.revision, findings, len(known), tenants)


def _stale(said: Governed, found: Governed) -> str:
    if (said.effect, said.labels) == (found.effect, found.labels):
        return ""
    return f"[tools] says {_about(said)} of {said.name}, which is installed as {_about(found)}"


def _about(tool: Governed) -> str:
    return ", ".join([tool.effect, *sorted(tool.labels)])


def check_folder(folder: Path, tools: Sequence[Governed] = (), tenant: str = "") -> Checked:
    """`check` of the policy and the `properties.toml` in a folder."""
    return check(Policy.load(folder), read_properties(folder / PROPERTIES), tools, tenant)


def _mentioned(properties: Properties) -> set[str]:
    named = (name for one in properties.properties for name in getattr(one.rule, "to", ()))
    return {name for name in named if name.startswith(("user:", "agent:"))}


def _finding(world: World, one: Property, stale: Sequence[str]) -> Finding:
    find = FINDERS[type(one.rule)]
    found: list[Witness] = []
    for tenant in world.tenants(one.tenants):
        for witness in find(world, tenant, one.rule):
            found.append(witness)
            if len(found) >= MOST_WITNESSES:
                break
    found.sort(key=lambda each: (bool(each.conditions), not each.is_named))
    return Finding(one, tuple(found[:MOST_WITNESSES]), (*_vacuous(world, one), *stale))


def _vacuous(world: World, one: Property) -> Iterator[str]:
    """What a property names that is not there: it may hold for that reason alone."""
    rule = one.rule
    for pattern in getattr(rule, "tools", ()):
        if not any(matches(pattern, name) for name in world.tools):
            more = "" if "*" in pattern else "; it is taken to have any effect"
            yield f"{pattern} is neither installed nor in [tools]{more}"
    yield from _unnamed(world, one)
    for label in rule.labels if isinstance(rule, UntrustedNeverSends) else ():
        if not world.labelled([label]):
            yield f"no tool is known to return {label}"


def _unnamed(world: World, one: Property) -> Iterator[str]:
    """The tenants, roles, users and agents of a property that no row names."""
    tenants = tenants_of(world.policy.rows) | ({world.tenant} if world.tenant else set())
    for tenant in one.tenants or ():
        if note := unnamed(tenant, tenants, "the tenant"):
            yield note
    by = getattr(one.rule, "by", ())
    people = (*getattr(one.rule, "to", ()), *(by if isinstance(by, list) else ()))
    rows = (row for tenant in world.tenants(one.tenants) for row in tenant.rows) if people else ()
    known = subjects_of(rows)
    for name in people:
        if name not in ("*", f"user:{NOBODY}") and (
            note := unnamed(name, known, "" if ":" in name else "the role")
        ):
            yield note
