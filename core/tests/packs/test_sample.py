"""`toolcrib init --sample PACK`: a pack's own policy to try it with, and nothing beyond the pack."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolcrib.cli.init import init
from toolcrib.errors import ConfigError, PackError

ROWS = """# Look.
g, user:alice, looker, acme
p, looker, *, pack_one.*, read, True, allow
p3, looker, *, pack_one.look, 5/day per user
p, looker, *, secret:pack_one.key, use, True, allow
"""


def install(shelf, rows: str = ROWS, **more) -> None:
    files = {"pack_one/policy/policy.csv": rows, "pack_one/policy/tests/look.yaml": "cases: []\n"}
    shelf.install("pack_one", "raise RuntimeError('imported')", files=files, **more)


def run(folder: Path, pack: str = "pack_one") -> Result:
    return CliRunner().invoke(init, [str(folder), "--sample", pack])


def test_the_crib_has_the_sample_and_its_tests_and_the_pack_is_to_be_locked(shelf, tmp_path: Path) -> None:
    install(shelf)
    result = run(tmp_path / "crib")
    assert result.exit_code == 0, result.exception
    assert "read it" in result.stdout and "toolcrib packs lock pack_one" in result.stdout
    policies = tmp_path / "crib" / "policies"
    assert (policies / "policy.csv").read_text() == ROWS
    assert (policies / "tests" / "look.yaml").read_text() == "cases: []\n"
    assert (policies / "model.conf").exists()
    config = tomllib.loads((tmp_path / "crib" / "toolcrib.toml").read_text())
    assert config["packs"] == {"trust": "locked"}


def test_a_pack_that_is_installed_editable_may_run_for_development(shelf, tmp_path: Path) -> None:
    install(shelf, direct_url={"dir_info": {"editable": True}})
    assert "toolcrib tools list" in run(tmp_path / "crib").stdout
    config = tomllib.loads((tmp_path / "crib" / "toolcrib.toml").read_text())
    assert config["packs"] == {"trust": "locked", "pack_one": {"trust": "installed"}}


@pytest.mark.parametrize(
    "row",
    [
        "p, *, *, *, *, True, allow",
        "p, *, *, pack_two.look, read, True, allow",
        "p, *, *, pack_o*, read, True, allow",
        "p, *, *, pack_one, read, True, allow",
        "p, *, *, pack_one_more.look, read, True, allow",
        "p, *, *, secret:*, use, True, allow",
        "p, *, *, policy.freeze, destructive, True, allow",
        'p, *, *, "*", *, True, allow',
        "  p ,*,*,*,*,True,allow",
        "p2, *, *, *, *, True, requester",
        "p3, *, *, *, 1/day per user",
        "p, *",
        "\ufeffp, *, *, pack_one.look, read, True, allow",
        "q, *, *, pack_one.look, read, True, allow",
    ],
)
def test_a_sample_that_reaches_beyond_its_pack_is_refused_and_nothing_is_made(
    shelf, tmp_path, row: str
) -> None:
    install(shelf, ROWS + row + "\n")
    error = run(tmp_path / "crib").exception
    assert isinstance(error, PackError) and "in line 6" in error.what
    assert not (tmp_path / "crib").exists()


def test_a_pack_without_a_sample_is_told(shelf, tmp_path: Path) -> None:
    shelf.install("pack_one")
    error = run(tmp_path / "crib").exception
    assert isinstance(error, PackError) and "no sample policy" in error.what
    error = run(tmp_path / "crib", "pack_oen").exception
    assert isinstance(error, PackError) and "'pack_one'" in error.remedy


def test_of_two_packs_of_one_name_neither_sample_is_taken(shelf, tmp_path: Path) -> None:
    install(shelf)
    install(shelf, distribution="other")
    error = run(tmp_path / "crib").exception
    assert isinstance(error, PackError) and "several packs" in error.what


def test_a_crib_that_is_there_is_never_overwritten(shelf, tmp_path: Path) -> None:
    install(shelf)
    (tmp_path / "toolcrib.toml").write_text("mine")
    assert isinstance(run(tmp_path).exception, ConfigError)
    assert (tmp_path / "toolcrib.toml").read_text() == "mine"
