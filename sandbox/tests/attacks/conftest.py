"""One sandbox for a module of attacks, and the test that every attack ends with: the next run works."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from toolcrib.sandbox import RunRequest
from toolcrib_sandbox import DockerSandbox


@pytest.fixture(scope="module", params=["single-use", "burst"])
def tier(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def sandbox(settings, tier):
    opened = DockerSandbox(replace(settings, tier=tier))
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
def attack(sandbox, small):
    async def run(code: str, language="python", **changes):
        result = await sandbox.run(RunRequest(code, language, limits=replace(small, **changes)))
        after = await sandbox.run(RunRequest("print('well')", limits=replace(small, **changes)))
        assert (after.stdout, after.exit_code) == ("well\n", 0)
        return result

    return run
