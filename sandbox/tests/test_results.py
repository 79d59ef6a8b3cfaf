"""What a result tells, field by field, on each tier and in a session, of what really happened."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from toolcrib.sandbox import Limits, RunRequest, RunResult, SandboxSession
from toolcrib_sandbox import DockerSandbox, DockerSettings
from toolcrib_sandbox.testing import TestEngine

TIERS = ("single-use", "burst", "session")


@dataclass
class Place:
    """A sandbox of one tier, of which only one container may exist."""

    tier: str
    sandbox: DockerSandbox
    limits: Limits
    session: SandboxSession | None = None

    async def run(self, code: str, **changes: float) -> RunResult:
        run = self.session.run if self.session else self.sandbox.run
        return await run(RunRequest(code, tenant="acme", limits=replace(self.limits, **changes)))

    async def occupied(self) -> Callable[[], Awaitable[None]]:
        """Take all that there is; gives what lets it go again."""
        if self.session is not None:
            self.session._one.acquire()

            async def release() -> None:
                self.session._one.release()

            return release
        return (await self.sandbox.session("acme", self.limits)).close


@pytest.fixture(params=TIERS)
async def place(request, settings: DockerSettings, small: Limits) -> AsyncIterator[Place]:
    tier = "burst" if request.param == "burst" else "single-use"
    made = replace(settings, tier=tier, containers=1, preheated=0)
    async with DockerSandbox(made) as sandbox:
        session = await sandbox.session("acme", small) if request.param == "session" else None
        yield Place(request.param, sandbox, small, session)


EVERYTHING = """
import os, sys, time
sys.stdout.write("o" * 10_000)
sys.stderr.write("e" * 2_000)
open("plot.png", "wb").write(b"\\x89PNG\\r\\n\\x1a\\n")
sys.stdout.flush(); sys.stderr.flush()
for _ in range(3):
    if os.fork() == 0:
        time.sleep(60)
sys.exit(3)
"""


async def test_all_that_happened_is_told(place: Place, engine: TestEngine) -> None:
    told = await place.run(EVERYTHING)
    assert (told.exit_code, told.timed_out, told.out_of_memory) == (3, False, False)
    assert (told.stdout, told.stderr) == ("o" * 3072, "e" * 1024)
    assert (told.output_bytes, told.truncated) == (12_000, True)
    assert [(each.name, len(each.data), each.media_type) for each in told.artifacts] == [
        ("plot.png", 8, "image/png")
    ]
    assert told.survivors == 3
    assert told.notes == ("3 processes were still there when the code had ended, and were killed",)
    assert told.image == engine.image
    assert told.durations.start > 0 and told.durations.run > 0
    plain = await place.run("print('x')")
    assert (plain.stdout, plain.exit_code, plain.output_bytes, plain.truncated) == ("x\n", 0, 2, False)
    assert (plain.survivors, plain.artifacts, plain.stderr, plain.notes) == (0, (), "", ())
    # A container that had served before was not started for this run.
    assert (plain.durations.start > 0) is (place.tier == "single-use")


async def test_an_end_of_its_time_is_told(place: Place) -> None:
    told = await place.run("print('so far')\nwhile True: pass", wall=0.6)
    assert (told.timed_out, told.out_of_memory, told.exit_code, told.stdout) == (
        True,
        False,
        None,
        "so far\n",
    )
    assert told.durations.run >= 0.6
    assert (await place.run("print(1)")).timed_out is False


async def test_an_end_of_its_memory_is_told(place: Place) -> None:
    told = await place.run("x = bytearray(1 << 30)\nfor i in range(0, 1 << 30, 4096): x[i] = 1")
    assert (told.out_of_memory, told.timed_out, told.exit_code) == (True, False, None)
    assert "The code was ended because its memory was full" in told.notes
    assert (await place.run("print(1)")).out_of_memory is False


async def test_a_wait_for_a_container_is_told(place: Place) -> None:
    await place.run("1")
    free = await place.occupied()
    running = asyncio.ensure_future(place.run("print(1)"))
    if place.tier == "session":
        await asyncio.sleep(0)  # it has asked
    else:
        while not any(place.sandbox._pool._waiting.values()):
            await asyncio.sleep(0.01)
    waits, lets_go = time.monotonic(), time.monotonic()
    await free()
    told = await running
    assert told.stdout == "1\n" and told.durations.queue > lets_go - waits
