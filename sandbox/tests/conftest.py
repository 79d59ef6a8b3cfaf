"""A real engine for every test here; without one they are skipped, loudly, or fail if TOOLCRIB_STRICT=1."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from toolcrib.sandbox import Limits
from toolcrib_sandbox import DockerSandbox, DockerSettings
from toolcrib_sandbox.testing import TestEngine, engine_or_missing

SMALL = Limits(memory=64 << 20, disk=16 << 20, output=4096, wall=10, processes=16, artifacts=8)


@pytest.fixture(scope="session")
def engine() -> Iterator[TestEngine]:
    with engine_or_missing() as found:
        yield found


@pytest.fixture(scope="module")
def settings(engine: TestEngine) -> DockerSettings:
    return DockerSettings(host=engine.host, image=engine.image, containers=4, preheated=1)


@pytest.fixture(scope="module")
def sandbox(settings: DockerSettings) -> Iterator[DockerSandbox]:
    opened = DockerSandbox(settings)
    yield opened
    asyncio.run(opened.close())


@pytest.fixture(scope="session")
def small() -> Limits:
    return SMALL
