"""What speaks against each kind of property, in one tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from toolcrib.bench._properties import AlwaysReviewed, NeverAllowed, NeverBoth, Only, UntrustedNeverSends
from toolcrib.bench._witness import Witness, allowing, command, hangs_on, reaches_of, witness
from toolcrib.bench._world import Class, Reach, Tenant, World
from toolcrib.decisions import Row
from toolcrib.policy import Governed
from toolcrib.policy._fields import REQUESTER

__all__ = ["FINDERS"]


def _never_both(world: World, tenant: Tenant, rule: NeverBoth) -> Iterator[Witness]:
    groups = [world.select([pattern]) for pattern in rule.tools]
    for subject, like in _subjects(tenant, rule):
        may = [[tool for tool in group if tenant.reach(subject, tool).is_possible()] for group in groups]
        for some, others in combinations(may, 2):
            both = next(((one, two) for one in some for two in others if one.name != two.name), None)
            if both is not None:
                yield _both(tenant, subject, like, *both)


def _subjects(tenant: Tenant, rule: NeverBoth) -> Iterator[tuple[str, int]]:
    """Whose rows are looked at, and how many there are of each."""
    for kind, classes in (("users", tenant.users), ("agents", tenant.agents)):
        if kind in rule.of:
            yield from ((one.one, len(one.names)) for one in classes)
    if "roles" in rule.of:
        yield from ((role, 1) for role in tenant.roles)


def _both(tenant: Tenant, subject: str, like: int, first: Governed, second: Governed) -> Witness:
    reaches = [tenant.reach(subject, tool) for tool in (first, second)]
    user, agent = _company(tenant, subject, second)
    return Witness(
        tenant.name,
        user,
        agent,
        (first.name, second.name),
        f"{_called(subject)} may call {first.name} and {second.name}",
        allowing(reaches),
        hangs_on(reaches),
        like,
        command(tenant, user, agent, second) if user and agent else "",
        ":" in subject,
    )


def _company(tenant: Tenant, subject: str, tool: Governed) -> tuple[str | None, str | None]:
    """A user and an agent that make the call together, one of them the subject or a holder of that role."""
    pairs = list(tenant.pairs(tool))
    for user, agent in pairs:
        if subject in (user.one, agent.one) or subject in user.holds | agent.holds:
            return user.one, agent.one
    kind = subject.partition(":")[0]
    return (subject, None) if kind == "user" else (None, subject) if kind == "agent" else (None, None)


def _always_reviewed(world: World, tenant: Tenant, rule: AlwaysReviewed) -> Iterator[Witness]:
    for tool in world.select(rule.tools, rule.effects):
        for user, agent in tenant.pairs(tool):
            reaches = reaches_of(tenant, user, agent, tool)
            sure = [row for reach in reaches for row in reach.sure_reviews()]
            if not any(_satisfies(row, rule.by) for row in sure):
                yield witness(tenant, user, agent, tool, _unreviewed(reaches, sure, rule.by), sure)


def _satisfies(row: Row, by: str | list[str]) -> bool:
    """Whether everybody who may satisfy the row is one of `by`."""
    alternatives = {one.strip() for one in row.values[-1].split("|")}
    if by == "anyone":
        return True
    return REQUESTER not in alternatives if by == "other" else alternatives <= set(by)


def _unreviewed(reaches: Sequence[Reach], sure: Sequence[Row], by: str | list[str]) -> str:
    wanted = "" if by == "anyone" else " by somebody else" if by == "other" else f" by {' or '.join(by)}"
    if sure:
        who = " and ".join(dict.fromkeys(row.values[-1] for row in sure))
        return f"its review asks only for {who}"
    places = [rule.row.place for reach in reaches for rule in reach.reviews]
    if places:
        return (
            f"no row always asks for a review{wanted}: {' and '.join(dict.fromkeys(places))} has a condition"
        )
    return f"no row asks for a review{wanted}"


def _untrusted(world: World, tenant: Tenant, rule: UntrustedNeverSends) -> Iterator[Witness]:
    readers: dict[Class, list[tuple[Class, Governed]]] = {}
    for tool in world.labelled(rule.labels):
        for user, agent in tenant.pairs(tool):
            readers.setdefault(user, []).append((agent, tool))
    for send in world.select(["*"], rule.effects):
        for user, agent in tenant.pairs(send):
            for reader, read in readers.get(user, ()):
                if reader == agent or rule.across_agents:
                    label = sorted(read.labels.intersection(rule.labels))
                    if not _is_safe(tenant, user, agent, send, label):
                        yield _leak(tenant, user, (reader, agent), (read, send), label)
                        break


def _is_safe(tenant: Tenant, user: Class, agent: Class, send: Governed, label: Sequence[str]) -> bool:
    reaches = reaches_of(tenant, user, agent, send)
    return any(reach.sure_reviews(label) or not reach.is_possible(label) for reach in reaches)


def _leak(
    tenant: Tenant,
    user: Class,
    agents: tuple[Class, Class],
    tools: tuple[Governed, Governed],
    label: Sequence[str],
) -> Witness:
    (reader, sender), (read, send) = agents, tools
    reading, sending = reaches_of(tenant, user, reader, read), reaches_of(tenant, user, sender, send)
    who = "it" if reader == sender else sender.one
    return Witness(
        tenant.name,
        user.one,
        sender.one,
        (read.name, send.name),
        f"{reader.one} reads {read.name} ({', '.join(label)}), and {who} may call {send.name} unreviewed",
        allowing([*reading, *sending]),
        hangs_on([*reading, *sending]),
        len(user.names) * len(sender.names),
        command(tenant, user.one, sender.one, send, label),
        user.is_named and sender.is_named,
    )


def _never_allowed(world: World, tenant: Tenant, rule: NeverAllowed) -> Iterator[Witness]:
    for tool in world.select(rule.tools, rule.effects):
        for user, agent in tenant.pairs(tool):
            if "*" in rule.to or not (_known_as(tenant, user) | _known_as(tenant, agent)).isdisjoint(rule.to):
                yield witness(tenant, user, agent, tool, "it may be allowed")


def _only(world: World, tenant: Tenant, rule: Only) -> Iterator[Witness]:
    for tool in world.select(rule.tools, rule.effects):
        for user, agent in tenant.pairs(tool):
            sides = {"user": (user,), "agent": (agent,), "either": (user, agent)}[rule.side]
            if not any("*" in rule.to or not _known_as(tenant, one).isdisjoint(rule.to) for one in sides):
                whom = " and ".join(one.one for one in sides)
                yield witness(tenant, user, agent, tool, f"{whom} is none of {', '.join(rule.to)}")


def _known_as(tenant: Tenant, one: Class) -> frozenset[str]:
    return one.holds | ({one.one} if len(one.names) == 1 else frozenset())


FINDERS: Mapping[type, Callable[[World, Tenant, Any], Iterator[Witness]]] = {
    NeverBoth: _never_both,
    AlwaysReviewed: _always_reviewed,
    UntrustedNeverSends: _untrusted,
    NeverAllowed: _never_allowed,
    Only: _only,
}
"""What speaks against a rule in one tenant, by the kind of rule."""


def _called(subject: str) -> str:
    return subject if ":" in subject else f"the role {subject}"
