"""Sessions: whose they are, how many, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from toolcrib import Principal
from toolcrib.errors import ConfigError, SandboxError, VendorRefused
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
    fail_first: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event | None = None

    async def session(self, tenant: str, limits: Limits, egress: tuple[str, ...] = ()) -> Session:
        self.asked.set()
        await (self.go.wait() if self.go else asyncio.sleep(0))
        if self.fail_first:
            self.fail_first = False
            raise SandboxError("none")
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


async def test_first_runs_at_once_share_one() -> None:
    sandbox, sessions = Sandbox(), Sessions(1, 60)
    one, two, three = await asyncio.gather(*(take(sessions, sandbox) for _ in range(3)))
    assert one is two is three and len(sandbox.opened) == 1 and one.closed == 0


async def test_no_more_are_open_than_may_be_though_all_ask_at_once() -> None:
    sandbox, sessions = Sandbox(), Sessions(2, 60)
    asking = (take(sessions, sandbox, Principal("coder", f"user{n}", "acme")) for n in range(5))
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert len(sandbox.opened) == 2
    assert sum(isinstance(each, VendorRefused) for each in found) == 3


async def test_one_that_fails_to_open_leaves_its_place_to_who_waits() -> None:
    sandbox, sessions = Sandbox(), Sessions(1, 60)
    sandbox.fail_first = True
    found = await asyncio.gather(*(take(sessions, sandbox) for _ in range(3)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in found) == ["SandboxError", "Session", "Session"]
    assert len(sandbox.opened) == 1
    with pytest.raises(VendorRefused, match="1 sessions are open"):
        await take(sessions, sandbox, Principal("coder", "bob", "acme"))


async def test_who_opens_is_cancelled_and_who_waits_opens() -> None:
    sandbox, sessions = Sandbox(), Sessions(1, 60)
    sandbox.go = asyncio.Event()
    first = asyncio.ensure_future(take(sessions, sandbox))
    second = asyncio.ensure_future(take(sessions, sandbox))
    await sandbox.asked.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    sandbox.go.set()
    assert await second is sandbox.opened[0]


async def test_who_waits_is_cancelled_and_who_opens_is_not_disturbed() -> None:
    sandbox, sessions = Sandbox(), Sessions(1, 60)
    sandbox.go = asyncio.Event()
    first = asyncio.ensure_future(take(sessions, sandbox))
    await sandbox.asked.wait()
    second = asyncio.ensure_future(take(sessions, sandbox))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    sandbox.go.set()
    assert await first is sandbox.opened[0]


async def test_one_that_opens_while_all_are_closed_is_closed_too() -> None:
    sandbox, sessions = Sandbox(), Sessions(1, 60)
    sandbox.go = asyncio.Event()
    first = asyncio.ensure_future(take(sessions, sandbox))
    await sandbox.asked.wait()
    await sessions.close_all()
    sandbox.go.set()
    with pytest.raises(VendorRefused, match="closed"):
        await first
    assert [one.closed for one in sandbox.opened] == [1]


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
