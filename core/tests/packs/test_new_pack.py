"""A new pack passes everything as it is: linters, tests, the kit's checks, the lock, a governed call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from toolcrib.packs._new import new_pack

BIN = Path(sys.executable).parent
NAME = "a-name-of-thirty-two-letters-in2"  # the longest: whatever fits with it, fits


@dataclass(frozen=True)
class Project:
    """A generated project, whose wheel is installed into `site` beside it."""

    pack: str
    folder: Path
    environment: dict[str, str]

    @property
    def policy(self) -> Path:
        return self.folder / "src" / f"toolcrib_{self.pack}" / "policy"

    def run(self, program: str, *arguments: str | Path, code: int = 0) -> str:
        done = subprocess.run(
            [BIN / program, *arguments],
            cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{program} {arguments}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    home = tmp_path_factory.mktemp("new")
    pack, folder = new_pack(NAME, home)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "COLUMNS": "200"}
    project = Project(pack, folder, {**environment, "PYTHONPATH": str(folder / "site")})
    project.run("python", "-m", "build", "--wheel", "--no-isolation")
    (wheel,) = (folder / "dist").glob("*.whl")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", "site"]
    project.run("python", *install, wheel)
    return project


@pytest.fixture(scope="module", autouse=True)
def types(project: Project) -> Iterator[subprocess.Popen[str]]:
    """mypy, started first and looked at last: it takes as long as all the others."""
    with subprocess.Popen(
        [BIN / "mypy", "--no-error-summary"],
        cwd=project.folder, env=project.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as process:  # fmt: skip
        yield process
        process.kill()


def test_it_is_clean_for_ruff(project: Project) -> None:
    project.run("ruff", "check", "--no-cache", "src", "tests")
    project.run("ruff", "format", "--no-cache", "--check", "src", "tests")


def test_its_workflow_does_what_is_done_here(project: Project) -> None:
    workflow = yaml.safe_load((project.folder / ".github/workflows/ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [
        'pip install -e ".[dev]"',
        "ruff check .",
        "ruff format --check .",
        "mypy",
        "toolcrib packs check",
        "pytest",
    ]
    actions = {step["uses"] for step in job["steps"] if "uses" in step}
    assert actions == {"actions/checkout@v4", "actions/setup-python@v5"}
    metadata = tomllib.loads((project.folder / "pyproject.toml").read_text())["project"]
    assert {"mypy", "pytest", "ruff"} <= set(metadata["optional-dependencies"]["dev"])


def test_a_short_name_is_as_clean(project: Project, tmp_path: Path) -> None:
    _, folder = new_pack("a", tmp_path)
    project.run("ruff", "check", "--no-cache", folder)
    project.run("ruff", "format", "--no-cache", "--check", folder)


def test_its_own_tests_pass(project: Project) -> None:
    told = project.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "failed" not in told and " passed" in told


def test_it_passes_the_checks_of_the_kit(project: Project) -> None:
    (report,) = json.loads(project.run("toolcrib", "packs", "check", "--json"))
    assert report["pack"] == project.pack, "the pack of the project that one stands in"
    by_status = {status: set() for status in ("passed", "failed", "skipped")}
    for check in report["checks"]:
        by_status[check["status"]].add(check["check"])
    assert by_status["failed"] == set()
    assert by_status["skipped"] == {"errors", "secrets"}, "what an embedded backend has not got"
    assert len(by_status["passed"]) == 14


def test_its_sample_policy_is_clean_and_tested_whole(project: Project) -> None:
    told = project.run("toolcrib", "policy", "lint", "--fail-on", "warning", project.policy)
    assert "warning" not in told and "error" not in told
    told = project.run("toolcrib", "policy", "test", "--policy", project.policy, "--fail-under", "100")
    assert "6 passed" in told


def test_it_is_locked_and_called_under_its_sample_policy(project: Project) -> None:
    project.run("toolcrib", "init")
    (project.folder / "policies" / "policy.csv").write_text((project.policy / "policy.csv").read_text())
    put = [
        "tools",
        "call",
        f"{project.pack}.put_item",
        "--agent",
        "clerk",
        "--arg",
        "name=plan",
        "--arg",
        "text=x",
    ]
    project.run("toolcrib", "packs", "lock", project.pack, "--yes")
    assert project.run("toolcrib", *put, "--user", "alice") == '{"name":"plan","text":"x"}\n'
    assert "DENIED" in project.run("toolcrib", *put, "--user", "bob", code=1)


def test_its_wheel_has_types_policy_and_metadata_but_no_tests(project: Project) -> None:
    info = next((project.folder / "site").glob("*.dist-info"))
    names = {line.split(",")[0] for line in (info / "RECORD").read_text().splitlines()}
    package = f"toolcrib_{project.pack}"
    assert {f"{package}/py.typed", f"{package}/policy/policy.csv", f"{package}/policy/model.conf"} <= names
    assert not [name for name in names if name.startswith("tests/")]


def test_it_is_typed_strictly(types: subprocess.Popen[str]) -> None:
    told, _ = types.communicate()
    assert (types.returncode, told) == (0, "")
