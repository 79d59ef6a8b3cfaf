from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from toolcrib.cli._main import cli


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """Runs a command line on the crib in the test's folder; our errors are in `.exception`."""

    def invoke(*words: str, input: str | None = None) -> Result:
        arguments = ["-c", str(tmp_path / "toolcrib.toml"), *words]
        return CliRunner().invoke(cli, arguments, input=input, catch_exceptions=True)

    return invoke


@pytest.fixture
def crib_with_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A crib with one tiny installed pack, `toys`."""
    from toolcrib.testing.cribs import write_crib

    site = tmp_path / "site"
    info = site / "toys-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "toy_box_pack.py").write_text(
        '''
from toolcrib import Toolkit, tool
from toolcrib.hookspecs import hookimpl

PACK_API = 1

class Toys(Toolkit):
    @tool(effect="read", labels={"confidential"})
    async def count(self, box: str, limit: int = 3) -> dict[str, object]:
        """How many toys there are.

        Args:
            box: Which box.
        """
        return {"box": box, "count": limit}

    @tool(effect="write")
    async def add(self, box: str) -> str:
        """Add a toy."""
        return f"added to {box}"

@hookimpl
def toolcrib_toolkits(config):
    return [Toys()]
'''
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[toolcrib.packs]\ntoys = toy_box_pack\n")
    (info / "RECORD").write_text(
        "toy_box_pack.py,,\ntoys-1.0.dist-info/METADATA,,\ntoys-1.0.dist-info/RECORD,,\n"
    )
    monkeypatch.syspath_prepend(str(site))
    rows = """
    p, *, acme, toys.*, read, True, allow
    p, agent:keeper, acme, toys.*, *, True, allow
    p, user:ann, acme, toys.*, *, True, allow
    p2, *, acme, toys.add, write, True, requester
    """
    return write_crib(
        tmp_path, rows, config='[packs.toys]\ntrust = "installed"\n[approvals]\nmode = "park"\n'
    )


def json_of(result: Result) -> Any:
    import orjson

    return orjson.loads(result.stdout)
