from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from toolcrib.audit import read
from toolcrib.cli._main import cli
from toolcrib.os_user import system_user
from toolcrib.testing.cribs import write_crib

ROWS = """
# the desk
p, *, acme, toys.*, *, True, allow
p, user:dana, acme, policy.*, destructive, True, allow
"""
PACK = '''
from toolcrib import Toolkit, tool
from toolcrib.hookspecs import hookimpl

PACK_API = 1

class Toys(Toolkit):
    @tool(effect="read")
    async def count(self) -> int:
        """How many."""
        return 1

    @tool(effect="write", aliases=("put",))
    async def add(self, box: str) -> str:
        """Add a toy."""
        return box

@hookimpl
def toolcrib_toolkits(config):
    return [Toys()]
'''


class Bench:
    """A crib in a folder, with a pack `toys`, where this process's user is `dana`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, input: str | None = None) -> Result:
        return CliRunner().invoke(cli, ["-c", str(self.folder / "toolcrib.toml"), *words], input=input)

    @property
    def rows(self) -> str:
        return (self.folder / "policies" / "policy.csv").read_text()

    @rows.setter
    def rows(self, text: str) -> None:
        (self.folder / "policies" / "policy.csv").write_text(text)

    def acts(self) -> list[dict[str, Any]]:
        log = self.folder / ".toolcrib" / "audit"
        found = read(log) if log.exists() else ()
        return [r for r in found if str(r.get("action", "")).startswith("policy.") and "by" in r]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    info = tmp_path / "site" / "toys-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site" / "acts_toys_pack.py").write_text(PACK)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[toolcrib.packs]\ntoys = acts_toys_pack\n")
    (info / "RECORD").write_text("acts_toys_pack.py,,\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def one(rows: str = ROWS, *, config: str = "", user: str = "dana") -> Bench:
        users = f'[approvals.users]\n{system_user()} = "{user}"\n' if user else ""
        write_crib(tmp_path, rows, config=f'{config}[packs.toys]\ntrust = "installed"\n{users}')
        return Bench(tmp_path)

    return one


@pytest.fixture
def bench(make: Callable[..., Bench]) -> Bench:
    return make()
