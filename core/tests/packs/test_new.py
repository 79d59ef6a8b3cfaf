"""A new pack's project: what names are taken, and that nothing is ever overwritten."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from packaging.requirements import Requirement

import toolcrib.packs._new as new_module
from toolcrib.cli.packs import packs
from toolcrib.errors import PackError
from toolcrib.packs._new import TEMPLATE, new_pack
from toolcrib.policy import MODEL


def run(*arguments: str) -> Result:
    return CliRunner().invoke(packs, ["new", *arguments])


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_project_is_made_and_the_next_commands_are_told(shelf, tmp_path: Path) -> None:
    result = run("weather", "--dir", str(tmp_path / "packs"))
    assert result.exit_code == 0, result.output
    folder = tmp_path / "packs" / "toolcrib-weather"
    assert result.stdout.splitlines()[1:] == [
        f"  cd {folder}",
        "  toolcrib packs check",
        "  pip install -e .",
    ]
    assert {
        ".github/workflows/ci.yml",
        ".gitignore",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "src/toolcrib_weather/backend.py",
        "src/toolcrib_weather/embedded.py",
        "src/toolcrib_weather/py.typed",
        "src/toolcrib_weather/policy/policy.csv",
        "src/toolcrib_weather/policy/tests/weather.yaml",
        "tests/test_conformance.py",
        "tests/test_weather.py",
    } <= files(folder)
    assert not {"gitignore", "github/workflows/ci.yml"} & files(folder)


@pytest.mark.parametrize("name", ["my-desk", "my_desk", "toolcrib-my-desk"])
def test_dashes_and_underscores_are_one_name(shelf, tmp_path: Path, name: str) -> None:
    pack, folder = new_pack(name, tmp_path)
    assert (pack, folder.name) == ("my_desk", "toolcrib-my-desk")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "toolcrib-my-desk"
    assert project["entry-points"]["toolcrib.packs"] == {"my_desk": "toolcrib_my_desk"}
    assert "my_desk.get_item" in (folder / "README.md").read_text()


def test_its_licence_is_that_of_its_metadata(shelf, tmp_path: Path) -> None:
    _, folder = new_pack("weather", tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE"])
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "classifiers" not in project or not [c for c in project["classifiers"] if "License" in c]


def test_nothing_of_the_template_shows_and_nothing_that_was_left_there(shelf, tmp_path: Path) -> None:
    _, folder = new_pack("weather", tmp_path)
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        assert "newpack" not in str(inside)
        assert not {"__pycache__", ".ruff_cache", ".mypy_cache"} & set(inside.parts)
        if path.is_file():
            assert "newpack" not in path.read_text("utf-8"), inside


def test_the_conformance_file_is_ten_lines(shelf, tmp_path: Path) -> None:
    _, folder = new_pack("weather", tmp_path)
    assert len((folder / "tests" / "test_conformance.py").read_text().splitlines()) <= 10


def test_a_new_pack_takes_this_toolcrib_and_the_model_that_is_shipped() -> None:
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    core = tomllib.loads((TEMPLATE.parents[3] / "pyproject.toml").read_text())["project"]
    assert Requirement(project["dependencies"][0]).specifier.contains(core["version"])
    assert (TEMPLATE / "src/toolcrib_newpack/policy/model.conf").read_text() == MODEL


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x", "a/b", "/etc", "a\\b", "~", "-x", "x-", "x--y", "_x", "1x", "Weather",
        "weather\n", "we ather", "wéather", "\u0430bc", "a.b", "$(x)", "class", "none; rm", "local",
        "trust", "toolcrib-", "toolcrib-class", "x" * 33, "a\x00b",
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_one_is_refused_and_nothing_is_made(shelf, tmp_path: Path, name: str) -> None:
    with pytest.raises(PackError, match="cannot be a pack's name") as caught:
        new_pack(name, tmp_path / "packs")
    assert caught.value.rule and caught.value.remedy
    assert not (tmp_path / "packs").exists()


@pytest.mark.parametrize("name", ["a", "x" * 32, "s3", "none", "match"])
def test_odd_names_that_can_be_one_are_taken(shelf, tmp_path: Path, name: str) -> None:
    assert new_pack(name, tmp_path)[0] == name


def test_the_name_of_an_installed_pack_is_taken(shelf, tmp_path: Path) -> None:
    shelf.install("pack_one")
    with pytest.raises(PackError, match=r"'pack_one' is taken by dist-pack-one 1\.0"):
        new_pack("pack-one", tmp_path)
    assert new_pack("pack-two", tmp_path)[0] == "pack_two"


def test_the_name_of_an_installed_distribution_is_taken(shelf, tmp_path: Path) -> None:
    shelf.install("pack_one", distribution="toolcrib-weather")
    with pytest.raises(PackError, match=r"'weather' is taken by toolcrib-weather 1\.0"):
        new_pack("weather", tmp_path)


@pytest.mark.parametrize("there", ["folder", "file", "link to nowhere"])
def test_what_is_there_is_never_touched(shelf, tmp_path: Path, there: str) -> None:
    place = tmp_path / "toolcrib-weather"
    if there == "folder":
        place.mkdir()
    elif there == "file":
        place.write_text("mine")
    else:
        place.symlink_to(tmp_path / "nowhere")
    result = run("weather", "--dir", str(tmp_path))
    assert isinstance(result.exception, PackError)
    assert "nothing is ever overwritten" in result.exception.rule
    assert files(tmp_path) == ({"toolcrib-weather"} if there == "file" else set())
    assert not (tmp_path / "nowhere").exists()


def test_a_project_that_cannot_be_written_whole_is_not_left_half(shelf, tmp_path: Path, monkeypatch) -> None:
    def fails(source: Path, target: Path, pack: str, dist: str) -> None:
        if target.name == "toolkit.py":
            raise OSError("the disk is full")
        copy(source, target, pack, dist)

    copy = new_module._copy
    monkeypatch.setattr(new_module, "_copy", fails)
    with pytest.raises(OSError, match="disk is full"):
        new_pack("weather", tmp_path)
    assert not (tmp_path / "toolcrib-weather").exists()


def test_dir_must_be_a_folder(shelf, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert run("weather", "--dir", str(tmp_path / "file")).exit_code == 2


def test_a_folder_with_spaces_is_quoted_in_the_next_commands(shelf, tmp_path: Path) -> None:
    result = run("weather", "--dir", str(tmp_path / "my packs"))
    assert re.search(r"  cd '.*/my packs/toolcrib-weather'", result.stdout)
