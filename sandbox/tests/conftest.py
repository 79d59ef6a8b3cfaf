"""A real engine for every test here; without one they are skipped, loudly, or fail if TOOLCRIB_STRICT=1."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from toolcrib.errors import SandboxError
from toolcrib.sandbox import Limits
from toolcrib_sandbox import DockerSandbox, DockerSettings
from toolcrib_sandbox.testing import TestEngine, engine_for_tests

SMALL = Limits(memory=64 << 20, disk=16 << 20, output=4096, wall=10, processes=16, artifacts=8)


@pytest.fixture(scope="session")
def engine() -> Iterator[TestEngine]:
    try:
        entered = engine_for_tests()
        found = entered.__enter__()
    except SandboxError as error:
        if os.environ.get("TOOLCRIB_STRICT") == "1":
            raise
        pytest.skip(f"NO SANDBOX WAS TESTED: {error}")
    yield found
    entered.__exit__(None, None, None)


@pytest.fixture(scope="module")
def settings(engine: TestEngine) -> DockerSettings:
    return DockerSettings(host=engine.host, image=engine.image, containers=4, preheated=1)


@pytest.fixture(scope="module")
def sandbox(settings: DockerSettings) -> Iterator[DockerSandbox]:
    opened = DockerSandbox(settings)
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
def small() -> Limits:
    return SMALL
