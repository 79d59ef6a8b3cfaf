"""The self test, and what it is for: without a required protection nothing runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from toolcrib.cli._main import cli
from toolcrib.errors import ConfigError, SandboxError
from toolcrib.sandbox import RunRequest
from toolcrib_sandbox import DockerSandbox, DockerSettings, _spec
from toolcrib_sandbox._check import PROTECTIONS


async def test_every_protection_holds_here(settings) -> None:
    async with DockerSandbox(settings) as sandbox:
        found = await sandbox.check()
    assert sorted(each.name for each in found) == sorted(PROTECTIONS)
    assert [each for each in found if not each.holds] == []


@pytest.mark.parametrize(
    ("setting", "value", "lost"),
    [
        ("security_opt", ["no-new-privileges:true", "seccomp=unconfined"], "system-calls"),
        ("cap_drop", [], "capabilities"),
        ("read_only", False, "read-only root"),
        ("pids_limit", -1, None),
    ],
)
async def test_a_flag_that_is_not_set_is_found_by_trying(
    settings, small, monkeypatch, setting, value, lost
) -> None:
    """Take out one flag: the first run is refused, before anything of the caller's ran."""
    original = _spec.Spec._host_config

    def weakened(self, api):
        key = {"security_opt": "SecurityOpt", "cap_drop": "CapDrop"}
        key |= {"read_only": "ReadonlyRootfs", "pids_limit": "PidsLimit"}
        return {**original(self, api), key[setting]: value}

    monkeypatch.setattr(_spec.Spec, "_host_config", weakened)
    if setting == "cap_drop":
        monkeypatch.setattr(_spec, "UID", 0)
    async with DockerSandbox(settings) as sandbox:
        if lost is None:
            found = {each.name: each.holds for each in await sandbox.check()}
            assert found["processes"] is False and found["user"] is True
            return
        with pytest.raises(SandboxError, match=lost):
            await sandbox.run(RunRequest("print(1)", limits=small))


async def test_what_is_waived_is_not_required(settings, small, monkeypatch) -> None:
    original = _spec.Spec._host_config
    weak = ["no-new-privileges:true", "seccomp=unconfined"]
    monkeypatch.setattr(
        _spec.Spec, "_host_config", lambda self, api: {**original(self, api), "SecurityOpt": weak}
    )
    waive = ("system-calls", "namespaces", "socket-families", "runner", "devices")
    async with DockerSandbox(replace(settings, waive=waive)) as sandbox:
        assert (await sandbox.run(RunRequest("print(1)", limits=small))).stdout == "1\n"


def test_only_a_protection_can_be_waived() -> None:
    with pytest.raises(ConfigError, match=r"sytem-calls.*system-calls"):
        DockerSettings(waive=("sytem-calls",))


@pytest.fixture
def config(tmp_path: Path, engine) -> Path:
    file = tmp_path / "toolcrib.toml"
    file.write_text(
        f'[packs]\ntrust = "installed"\n[sandbox]\nprovider = "docker"\nhost = "{engine.host}"\n'
        f'image = "{engine.image}"\n'
    )
    return file


def test_the_command_prints_a_table(config: Path) -> None:
    done = CliRunner().invoke(cli, ["-c", str(config), "sandbox", "check"])
    assert done.exit_code == 0, done.output
    assert "system-calls" in done.output and "holds" in done.output and "NOT" not in done.output


def test_the_command_fails_where_something_required_does_not_hold(config: Path, monkeypatch) -> None:
    monkeypatch.setattr(_spec, "profile", lambda nested: "unconfined")
    done = CliRunner().invoke(cli, ["-c", str(config), "sandbox", "check", "--json"])
    found = {each["name"]: each["holds"] for each in json.loads(done.output)}
    assert done.exit_code == 1 and found["system-calls"] is False and found["memory"] is True


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[sandbox]\nprovider = "dokcer"', "Did you mean 'docker'"),
        ('[sandbox]\nimage = "x"', "names no provider"),
        ('[sandbox]\nprovider = "docker"\nimgae = "x"', "Did you mean 'image'"),
        ('[sandbox]\nprovider = "docker"\ncontainers = "8"', "containers"),
        ('[sandbox]\nprovider = "docker"\ncontainers = 0', "at least 1"),
        ("", "no \\[sandbox\\] provider"),
    ],
)
def test_a_config_that_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    from toolcrib.crib import Crib

    file = tmp_path / "toolcrib.toml"
    file.write_text(f'{text}\n[packs]\ntrust = "installed"\n')
    with pytest.raises(ConfigError, match=says), Crib.from_config(file) as crib:
        _ = crib.sandbox
