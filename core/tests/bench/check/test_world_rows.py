"""Which rows a tenant of the world has: its own and those for all, in the order of the file."""

from __future__ import annotations

import random

import pytest

from toolcrib.bench._world import SOME_TENANT, World
from toolcrib.policy import MODEL, Policy

TENANTS = ("acme", "globex", "*")


def policy_of(seed: int) -> Policy:
    chance = random.Random(seed)
    rows = []
    for number in range(60):
        tenant, who = chance.choice(TENANTS), f"user:u{chance.randrange(9)}"
        rows.append(
            chance.choice(
                (
                    f"p, {who}, {tenant}, crm.t{number}, read, True, allow",
                    f"p2, {who}, {tenant}, crm.t{number}, read, True, requester",
                    f"g, {who}, role{number % 4}, {tenant}",
                )
            )
        )
    return Policy.of(MODEL, "\n".join(rows))


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_that_a_look_at_every_row_finds(seed: int) -> None:
    policy = policy_of(seed)
    found = {tenant.name: tenant for tenant in World(policy, []).tenants()}
    assert {"acme", "globex"} <= found.keys()
    for name, tenant in found.items():
        here = [row for row in policy.rows if row.values[2 if row.kind == "g" else 1] in (name, "*")]
        assert list(tenant.rows) == here
        named = dict.fromkeys(one for row in here for one in row.values[: 2 if row.kind == "g" else 1])
        assert tenant.named == tuple(named)


def test_a_tenant_that_no_row_names_has_those_for_all() -> None:
    policy = Policy.of(
        MODEL, "p, user:a, *, crm.x, read, True, allow\np, user:b, acme, crm.x, read, True, allow"
    )
    world = World(policy, [])
    (other,) = [tenant for tenant in world.tenants() if tenant.name == SOME_TENANT]
    assert other.named == ("user:a",)
    assert world.tenants(["acme"])[0].named == ("user:a", "user:b")
    assert world.tenants(["*"])[0].named == ("user:a",), "rows for all are not listed twice"
