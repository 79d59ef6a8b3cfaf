"""Sessions: whose they are, how many, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from toolcrib import Principal
from toolcrib.errors import ConfigError, VendorRefused
from toolcrib.sandbox import Limits
from toolcrib_sandbox.code import CodeSettings
from toolcrib_sandbox.code._sessions import Sessions

ALICE = Principal("coder", "alice", "acme", "s1")


@dataclass
class Session:
    """Counts how often it is closed."""

    tenant: str
    closed: int = 0

    async def close(self) -> None:
        self.closed += 1


@dataclass
class Sandbox:
    """Opens sessions; slowly, so that two may be asked for at once."""

    opened: list[Session] = field(default_factory=list)

    async def session(self, tenant: str, limits: Limits, egress: tuple[str, ...] = ()) -> Session:
        await asyncio.sleep(0)
        self.opened.append(Session(tenant))
        return self.opened[-1]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def take(sessions: Sessions, sandbox: Any, who: Principal = ALICE, limits: Limits | None = None) -> Any:
    return sessions.take(who, sandbox, limits or Limits())


async def test_one_for_each_tenant_user_agent_and_session() -> None:
    sandbox, sessions = Sandbox(), Sessions(9, 60)
    whose = [
        ALICE,
        Principal("coder", "alice", "globex", "s1"),
        Principal("coder", "bob", "acme", "s1"),
        Principal("coder", None, "acme", "s1"),
        Principal("analyst", "alice", "acme", "s1"),
        Principal("coder", "alice", "acme", "s2"),
    ]
    found = [await take(sessions, sandbox, who) for who in whose]
    assert len({id(one) for one in found}) == 6
    assert await take(sessions, sandbox) is found[0]
    await sessions.close_all()
    assert all(one.closed == 1 for one in sandbox.opened)


async def test_two_first_runs_at_once_share_one_and_the_other_is_closed() -> None:
    sandbox, sessions = Sandbox(), Sessions(9, 60)
    one, two = await asyncio.gather(take(sessions, sandbox), take(sessions, sandbox))
    assert one is two and sorted(each.closed for each in sandbox.opened) == [0, 1]


async def test_no_more_than_may_be_open() -> None:
    sandbox, sessions = Sandbox(), Sessions(1, 60)
    await take(sessions, sandbox)
    other = Principal("coder", "bob", "acme")
    with pytest.raises(VendorRefused, match="1 sessions are open"):
        await take(sessions, sandbox, other)
    assert await sessions.close(ALICE) and not await sessions.close(ALICE)
    assert await take(sessions, sandbox, other)


async def test_idle_ones_are_closed_and_busy_ones_are_not() -> None:
    clock = Clock()
    sandbox, sessions = Sandbox(), Sessions(9, 60, clock)
    bob = Principal("coder", "bob", "acme")
    await take(sessions, sandbox)
    await take(sessions, sandbox, bob)
    await sessions.done(ALICE)
    clock.now = 61
    await sessions.sweep()
    assert [one.closed for one in sandbox.opened] == [1, 0]
    await sessions.done(bob)
    clock.now = 130
    await sessions.sweep()
    assert sandbox.opened[1].closed == 1


async def test_it_is_closed_without_anybody_asking_again() -> None:
    sandbox, sessions = Sandbox(), Sessions(9, 0.01)
    await take(sessions, sandbox)
    await sessions.done(ALICE)
    async with asyncio.timeout(5):
        while not sandbox.opened[0].closed:
            await asyncio.sleep(0.01)


async def test_other_memory_than_it_has_is_refused() -> None:
    sandbox, sessions = Sandbox(), Sessions(9, 60)
    await take(sessions, sandbox)
    assert await take(sessions, sandbox, limits=Limits(wall=5))
    with pytest.raises(VendorRefused, match="256 MiB"):
        await take(sessions, sandbox, limits=Limits(memory=64 << 20))


@pytest.mark.parametrize(
    "wrong", [{"sessions": 0}, {"idle_seconds": 0}, {"output_bytes": 0}, {"output_bytes": 1 << 30}]
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        CodeSettings(**wrong)
