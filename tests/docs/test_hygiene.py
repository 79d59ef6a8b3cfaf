"""What must not be in the repository, because it is true on one machine only or names who serves packages."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

# Written in pieces, so that this file does not match itself.
MACHINE = re.compile("|".join(("/" + name + "/") for name in ("work", "root", "home", "Users")))
SERVERS = [
    "pypi" + ".org",
    "python" + "hosted",
    "npmjs" + ".",
    "npm" + "mirror",
    "arti" + "factory",
    "index" + "-url",
]
HOSTS = re.compile("|".join(map(re.escape, SERVERS)))
ALLOWED = {
    "Makefile": {"--no-emit-" + "index" + "-url"},  # the option that keeps hosts out of constraints.txt
}
LOCKS = {"uv.lock", "package-lock.json", "poetry.lock", "yarn.lock", "Pipfile.lock"}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    return [root / name for name in names.split("\0") if name and (root / name).is_file()]


def matches(tracked: list[Path], pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in tracked:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for allowed in ALLOWED.get(path.name, ()):
            text = text.replace(allowed, "")
        lines = text.splitlines() if pattern.search(text) else []
        found += [f"{path.name}:{number}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    return found


def test_no_path_of_a_machine(tracked: list[Path]) -> None:
    assert matches(tracked, MACHINE) == []


def test_no_package_server(tracked: list[Path]) -> None:
    assert matches(tracked, HOSTS) == []


def test_no_lock_file_that_names_servers(tracked: list[Path]) -> None:
    assert [path.name for path in tracked if path.name in LOCKS] == []


def test_no_package_under_tests(tracked: list[Path]) -> None:
    """With --import-mode=importlib two such packages of one name would hide each other's tests."""
    assert [str(path) for path in tracked if path.name == "__init__.py" and "tests" in path.parts] == []


def test_no_state_of_a_crib(tracked: list[Path]) -> None:
    assert [
        str(path) for path in tracked if ".toolcrib" in path.parts or path.suffix in (".db", ".pem")
    ] == []


def test_changelog_fragments_are_named_so_that_they_can_be_assembled(tracked: list[Path]) -> None:
    fragments = [path for path in tracked if path.parent.name == "changelog" and path.name != "README.md"]
    assert fragments
    shape = re.compile(r"\d+\.(added|changed|fixed|removed|security)(\.\d+)?\.md")
    for path in fragments:
        assert shape.fullmatch(path.name), path.name
        assert 20 < len(path.read_text()) < 600, f"{path.name}: one to three sentences"
