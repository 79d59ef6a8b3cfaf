"""Data analysis as its users run it: the `toolcrib` command, on sample data and a real engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

from toolcrib_sandbox.testing import TestEngine, engine_or_missing

TOOLCRIB = Path(sys.executable).with_name("toolcrib")
PATIENCE = 100
"""Seconds; only a hang comes near."""


@pytest.fixture(scope="session")
def engine() -> Iterator[TestEngine]:
    with engine_or_missing() as found:
        yield found


@dataclass(frozen=True)
class Desk:
    """A folder to type commands in, and a project in it."""

    here: Path
    host: str
    programs: Path

    @property
    def project(self) -> Path:
        return self.here / "sales"

    @property
    def environment(self) -> dict[str, str]:
        """That of a newcomer: nothing of ours, and no proxy."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "TERM": "xterm-256color", "DOCKER_HOST": self.host}

    def toolcrib(self, *words: Any) -> subprocess.CompletedProcess[str]:
        """One command without a terminal."""
        return subprocess.run(
            [str(self.programs / "toolcrib"), *map(str, words)],
            cwd=self.here, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip

    def analyse(self, *words: Any) -> subprocess.CompletedProcess[str]:
        """The job in this desk's project."""
        return self.toolcrib("run", "data-analysis", "--dir", "sales", *words)

    def at_terminal(self, *words: str) -> pexpect.spawn:
        """The job with a person at a terminal."""
        return pexpect.spawn(
            str(TOOLCRIB), ["run", "data-analysis", "--dir", "sales", *words],
            cwd=str(self.here), env=self.environment, encoding="utf-8", timeout=PATIENCE,
        )  # fmt: skip

    def records(self, **fields: Any) -> list[dict[str, Any]]:
        """The audit log's records with these fields, which must verify."""
        from toolcrib.audit import read, verify

        folder = self.project / ".toolcrib" / "audit"
        assert verify(folder).problem is None
        return [r for r in read(folder) if all(r.get(name) == value for name, value in fields.items())]


@pytest.fixture
def desk(tmp_path: Path, programs: Path, engine: TestEngine) -> Desk:
    return Desk(tmp_path, engine.host, programs)


@pytest.fixture
def without_engine(tmp_path: Path, programs: Path) -> Desk:
    return Desk(tmp_path, f"unix://{tmp_path}/none.sock", programs)


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, programs: Path, engine: TestEngine
) -> tuple[Desk, str]:
    """A run to its end, and what it printed; only for looking at."""
    made = Desk(tmp_path_factory.mktemp("finished"), engine.host, programs)
    done = made.analyse()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return made, done.stdout
