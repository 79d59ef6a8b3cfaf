"""Every room as its users get it: built as a wheel, installed into a folder outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIP = shutil.ignore_patterns("__pycache__", ".*_cache", "dist", "build")


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the rooms' wheels, and the dependencies of the one that runs the tests."""

    home: Path
    site: Path
    wheels: dict[str, Path]

    def run(self, *command: str | Path, cwd: Path, code: int = 0) -> str:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def python(self, code: str, cwd: Path) -> str:
        return self.run(self.home / "bin" / "python", "-c", code, cwd=cwd)

    def toolcrib(self, *arguments: str, cwd: Path, code: int = 0) -> str:
        return self.run(self.home / "bin" / "toolcrib", *arguments, cwd=cwd, code=code)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "COLUMNS": "120",
            "LANG": "C.UTF-8",
        }


def rooms() -> dict[str, Path]:
    folders = [ROOT / "core", ROOT / "policies", ROOT / "sandbox", *sorted((ROOT / "plugins").glob("*/"))]
    return {folder.name: folder for folder in folders if (folder / "pyproject.toml").exists()}


def build(folder: Path, out: Path) -> Path:
    """The wheel of a copy of the room, so that nothing outside the room can get into it."""
    copy = out / "rooms" / folder.name
    shutil.copytree(folder, copy, ignore=SKIP)
    dist = out / "wheels" / folder.name
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", dist, copy]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    out = tmp_path_factory.mktemp("wheels")
    with ThreadPoolExecutor(2) as pool:
        wheels = dict(
            zip(rooms(), pool.map(lambda folder: build(folder, out), rooms().values()), strict=True)
        )
    home = out / "home"
    site = environment(home)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", home / "bin" / "python"]
    install = [*pip, "install", "--quiet", "--no-deps", "--no-index", *wheels.values()]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Installed(home, site, wheels)


def environment(home: Path) -> Path:
    """The site-packages of a new environment that finds our dependencies, but not our (editable) rooms."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True, capture_output=True)
    (site,) = home.glob("lib/python*/site-packages")
    ours = Path(click.__file__).parents[1]
    shared = site.parent / "dependencies"
    shared.mkdir()
    for entry in ours.iterdir():
        if not entry.name.startswith(("toolcrib", "_toolcrib", "__editable__")) and entry.suffix != ".pth":
            (shared / entry.name).symlink_to(entry)
    (site / "dependencies.pth").write_text(f"{shared}\n")
    return site
