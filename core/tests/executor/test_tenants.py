"""A user's credentials are never used for another one, however many call at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from toolcrib import CallContext, Principal, Toolkit, tool
from toolcrib.secrets import LocalProvider

ROWS = "p, *, *, local.*, *, True, allow\np, *, *, secret:local.*, use, True, allow"
CONFIG = """
[packs.local.secrets]
mine = "crm/{tenant}/{user}/token"
[secrets]
cache = "30s"
[limits]
repeats = 1000
"""
TENANTS, USERS, CALLERS, ROUNDS = ("acme", "globex"), ("alice", "bob", "carol", "dave"), 64, 4


class Vendor(Toolkit):
    """Logs in with what it was given, and notes for whom."""

    def __init__(self) -> None:
        self.used: list[tuple[str, str | None, str]] = []
        self.together = self.most = 0

    @tool(effect="read")
    async def whoami(self, ctx: CallContext) -> int:
        """Who the vendor takes us for."""
        self.together += 1
        self.most = max(self.most, self.together)
        secret = await ctx.secret("mine")
        await asyncio.sleep(0)  # others come in between
        self.used.append((ctx.principal.tenant, ctx.principal.user, secret.reveal()))
        self.together -= 1
        return len(self.used)


def value_of(tenant: str, user: str) -> str:
    return f"token-of-{user}-at-{tenant}"


async def test_every_caller_gets_its_own_token(make: Any, tmp_path: Path) -> None:
    store = LocalProvider(tmp_path / ".toolcrib")
    for tenant in TENANTS:
        for user in USERS:
            store.put(f"crm/{tenant}/{user}/token", value_of(tenant, user))
    vendor = Vendor()
    crib = make(ROWS, vendor, config=CONFIG)

    async def caller(number: int) -> None:
        tenant, user = TENANTS[number % 2], USERS[number // 2 % 4]
        for turn in range(ROUNDS):
            me = Principal("agent", user, tenant, session=f"s{number}", run=f"r{number}-{turn}")
            result = await crib.call("whoami", {}, me)
            assert result.status == "done", result.text

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    assert len(vendor.used) == CALLERS * ROUNDS
    assert vendor.most > 1  # they did meet
    assert {(tenant, user) for tenant, user, _ in vendor.used} == {(t, u) for t in TENANTS for u in USERS}
    assert [each for each in vendor.used if each[2] != value_of(each[0], str(each[1]))] == []


async def test_a_caller_whose_token_is_missing_does_not_get_a_neighbours(make: Any, tmp_path: Path) -> None:
    LocalProvider(tmp_path / ".toolcrib").put("crm/acme/alice/token", value_of("acme", "alice"))
    vendor = Vendor()
    crib = make(ROWS, vendor, config=CONFIG)
    asked = [
        Principal("agent", "alice", "acme"),
        Principal("agent", "bob", "acme"),
        Principal("agent", "alice", "globex"),
    ]
    results = await asyncio.gather(*(crib.call("whoami", {}, me) for me in asked))
    assert [result.status for result in results] == ["done", "unavailable", "unavailable"]
    assert vendor.used == [("acme", "alice", value_of("acme", "alice"))]
