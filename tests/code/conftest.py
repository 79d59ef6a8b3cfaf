"""A crib with a real sandbox; without an engine the tests are skipped loudly, or fail (TOOLCRIB_STRICT=1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from toolcrib import Crib
from toolcrib.testing.cribs import make_crib
from toolcrib_sandbox.testing import TestEngine, engine_or_missing

ROWS = """
    p, user:alice, acme, code.*, *, True, allow
    p, agent:coder, acme, code.*, read, True, allow
    p, agent:stateful, acme, code.*, write, True, allow
    p, agent:hoarder, acme, code.session_run, write, True, allow
    p, agent:careful, acme, code.run_python, read, True, allow
    p2, agent:careful, acme, code.run_python, read, True, user:dana
"""


@pytest.fixture(scope="session")
def engine() -> Iterator[TestEngine]:
    with engine_or_missing() as found:
        yield found


@pytest.fixture(scope="module")
def crib(engine: TestEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crib]:
    config = f"""
        [sandbox]
        provider = "docker"
        host = "{engine.host}"
        image = "{engine.image}"
        containers = 4
        preheated = 1

        [packs.code]
        trust = "installed"

        [approvals]
        mode = "park"
    """
    opened = make_crib(tmp_path_factory.mktemp("crib"), ROWS, config=config)
    yield opened
    opened.close()


@pytest.fixture
def without_engine(tmp_path: Path) -> Iterator[Crib]:
    config = f"""
        [sandbox]
        provider = "docker"
        host = "unix://{tmp_path}/none"

        [packs.code]
        trust = "installed"
    """
    with make_crib(tmp_path, ROWS, config=config) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: tmp_path / name
