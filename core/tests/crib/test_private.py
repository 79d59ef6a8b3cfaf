"""Whatever the umask says, nobody else can reach into a crib's state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolcrib import tool
from toolcrib._private import make_private
from toolcrib.secrets import LocalProvider
from toolcrib.testing.cribs import make_crib


@pytest.fixture(autouse=True)
def generous() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _open_to_others(folder: Path) -> list[str]:
    return sorted(str(path) for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077)


def test_a_crib_that_was_used_is_private(tmp_path: Path) -> None:
    @tool(effect="write", labels={"untrusted"})
    def act() -> str:
        """Act."""
        return "x" * 100_000

    with make_crib(tmp_path, "p, *, acme, local.*, *, True, allow") as crib:
        crib.add(act)
        result = crib.call_sync("act", {}, crib.principal("a", "alice"))
        assert (result.status, result.artifact is not None) == ("done", True)
        crib.audit.checkpoint()
    assert _open_to_others(tmp_path / ".toolcrib") == []


def test_a_secret_that_is_stored_first_makes_a_private_folder(tmp_path: Path) -> None:
    LocalProvider(tmp_path / ".toolcrib").put("a/key", "a value to keep")
    assert _open_to_others(tmp_path / ".toolcrib") == []


def test_what_is_missing_is_made_private_and_what_is_there_stays(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    make_private(shared / "one" / "two")
    make_private(shared / "one" / "two")
    modes = [path.stat().st_mode & 0o777 for path in (shared, shared / "one", shared / "one" / "two")]
    assert modes == [0o755, 0o700, 0o700]


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_private(tmp_path / "file" / "inner")
