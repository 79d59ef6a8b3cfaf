"""Files that a sandbox named are written below a folder, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolcrib.adapters._code_blocks import write_inside
from toolcrib.errors import ConfigError


def test_a_name_with_folders(tmp_path: Path) -> None:
    assert write_inside(tmp_path / "out", "a/b.txt", b"1").read_bytes() == b"1"
    assert write_inside(tmp_path / "out", "a/b.txt", b"2").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["", "/etc/x", "..", "../x", "a/../../x", "."])
def test_a_name_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        write_inside(tmp_path / "out", name, b"1")
    assert not (tmp_path / "x").exists()


def test_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "file").symlink_to(tmp_path / "elsewhere" / "x")
    for name in ("folder/x", "file"):
        with pytest.raises(ConfigError):
            write_inside(tmp_path / "out", name, b"1")
    assert list((tmp_path / "elsewhere").iterdir()) == []
