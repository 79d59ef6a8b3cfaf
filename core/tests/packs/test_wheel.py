"""A pack as its users get it: built as a wheel, installed by pip."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toolcrib.packs._files import read_files

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "dist-wheel"
version = "0.3"
scripts = { pack-wheel = "pack_wheel:main" }
[project.entry-points."toolcrib.packs"]
pack_wheel = "pack_wheel"
[tool.hatch.build.targets.wheel]
packages = ["pack_wheel"]
"""
SOURCE = """
from toolcrib import Toolkit, tool
from toolcrib.hookspecs import hookimpl
PACK_API = 1
class Kit(Toolkit):
    @tool(effect="read")
    def look(self) -> str:
        '''Look.'''
        return "seen"
@hookimpl
def toolcrib_toolkits(config):
    return [Kit()]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "pack_wheel").mkdir()
    (folder / "pack_wheel" / "__init__.py").write_text(SOURCE)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", str(folder)],
        check=True,
        capture_output=True,
    )
    return next((folder / "dist").glob("*.whl"))


def install(wheel: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", str(target), str(wheel)], check=True, capture_output=True)


def test_a_wheel_is_locked_and_loaded_and_an_edit_is_found(shelf, wheel: Path) -> None:
    install(wheel, shelf.site)
    assert (shelf.site / "pack_wheel" / "__pycache__").exists()  # pip compiles, and that does not count
    assert read_files(shelf.found("pack_wheel")).notes == ()
    shelf.lock("pack_wheel")
    pack = shelf.pack("pack_wheel")
    assert (pack.status, pack.version) == ("active", "0.3")
    assert [tool.name for tool in pack.tools] == ["pack_wheel.look"]
    with (shelf.site / "pack_wheel" / "__init__.py").open("a") as file:
        file.write("# edited\n")
    assert "edited since it was installed: pack_wheel/__init__.py" in shelf.pack("pack_wheel").reason


def test_every_installation_of_a_wheel_has_the_same_hash(shelf, wheel: Path) -> None:
    install(wheel, shelf.site)
    first = read_files(shelf.found("pack_wheel")).hash
    for entry in shelf.site.iterdir():
        shutil.rmtree(entry)
    install(wheel, shelf.site)
    assert read_files(shelf.found("pack_wheel")).hash == first
