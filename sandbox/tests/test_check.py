"""The self test, and what it is for: without a required protection nothing runs."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from docker.api.client import APIClient
from docker.types import Ulimit

from toolcrib.cli._main import cli
from toolcrib.errors import ConfigError, SandboxError
from toolcrib.sandbox import Protection, RunRequest, RunResult
from toolcrib_sandbox import DockerSandbox, DockerSettings, _spec
from toolcrib_sandbox._box import Box
from toolcrib_sandbox._check import PROBED, PROTECTIONS, Checker, _listening, refuse_missing
from toolcrib_sandbox._engine import Engine, Image

FLAGS = {
    "system-calls": {"SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined"]},
    "no-new-privileges": {"SecurityOpt": ["no-new-privileges:false"]},
    "capabilities": {"CapDrop": []},
    "read-only root": {"ReadonlyRootfs": False},
    "open-files": {"Ulimits": []},
    "programs": {"Tmpfs": dict.fromkeys(_spec.SHARES, "exec,size=1m,nr_inodes=99,uid=10001")},
    "disk": {"Tmpfs": dict.fromkeys(_spec.SHARES, "noexec,size=1m,uid=10001")},
    "no network": {"NetworkMode": "host"},
    "uid": {},
}
"""What does not hold when one flag is not set."""


def take_away(monkeypatch, changes) -> None:
    original = _spec.Spec._host_config
    monkeypatch.setattr(_spec.Spec, "_host_config", lambda self, api: {**original(self, api), **changes})


def network_of_the_host(monkeypatch) -> None:
    """Two flags keep it away, and one of them is enough; take away both."""
    original = APIClient.create_container
    monkeypatch.setattr(
        APIClient,
        "create_container",
        lambda self, **given: original(self, **{**given, "network_disabled": False}),
    )
    take_away(monkeypatch, FLAGS["no network"])


@pytest.mark.parametrize("lost", FLAGS)
async def test_a_flag_that_is_not_set_is_found_by_trying(settings, small, monkeypatch, lost: str) -> None:
    """The first run is refused, before anything of the caller's ran."""
    take_away(monkeypatch, FLAGS[lost])
    if lost == "uid":
        monkeypatch.setattr(_spec, "UID", 0)
    if lost == "no network":
        network_of_the_host(monkeypatch)
    async with DockerSandbox(replace(settings, preheated=0)) as sandbox:
        with pytest.raises(SandboxError, match=lost):
            await sandbox.run(RunRequest("print(1)", limits=small))


async def test_one_of_the_two_flags_against_a_network_is_enough(settings, small, monkeypatch) -> None:
    take_away(monkeypatch, FLAGS["no network"])
    async with DockerSandbox(replace(settings, preheated=0)) as sandbox:
        told = await sandbox.run(RunRequest("print(open('/proc/net/dev').read().count(':'))", limits=small))
    assert told.stdout == "1\n"


async def test_the_network_of_a_host_that_has_none_is_found_too(settings, small, monkeypatch) -> None:
    """Where a host has loopback alone, as that of a sandbox: the self test looks for a port of the host's."""
    network_of_the_host(monkeypatch)
    monkeypatch.setattr(Box, "check", lambda self: None)
    async with DockerSandbox(replace(settings, preheated=0)) as sandbox:
        with pytest.raises(
            SandboxError, match=r"does not hold network: possible: loopback of the host, abstract"
        ):
            await sandbox.run(RunRequest("print(1)", limits=small))


# --- the self test itself, where nothing protects

BARE = """
import subprocess, sys
open("/run/docker.sock", "w").close()
for _ in range(5):
    subprocess.Popen(["sleep", "60"])
open("/box/host.json", "w").write(sys.argv[2])
exec(compile(sys.argv[1], "probe", "exec"))
"""


@pytest.fixture(scope="module")
def bare(engine) -> dict[str, tuple[bool, str]]:
    """What it says as root, in a container without our flags that has the host's network."""
    asking, probe = Engine(engine.host), (files("toolcrib_sandbox.guest") / "probe.py").read_text("utf-8")
    config = asking.api.create_host_config(
        network_mode="host",
        security_opt=["seccomp=unconfined"],
        tmpfs=dict.fromkeys(_spec.SHARES, "exec,size=1m"),
        ulimits=[Ulimit(name="nofile", soft=6000, hard=6000)],
    )
    with _listening(True) as places:
        words = ["-c", BARE, probe, json.dumps(places)]
        made = asking.api.create_container(
            engine.image, words, entrypoint=["python3"], user="0:0", host_config=config
        )
        try:
            asking.api.start(made["Id"])
            asking.api.wait(made["Id"], timeout=60)
            return json.loads(asking.api.logs(made["Id"]))
        finally:
            asking.api.remove_container(made["Id"], force=True, v=True)
            asking.close()


@pytest.mark.parametrize("name", PROBED)
def test_the_self_test_sees_what_is_missing(bare, name: str) -> None:
    holds, detail = bare[name]
    assert holds is False and "could not be tried" not in detail


MISSING = {
    "memory": RunResult("", "", 0),
    "processes": RunResult("200\n", "", 0),
    "processor": RunResult("1.97\n", "", 0),
    "time": RunResult("", "", 0),
    "output": RunResult("x" * (160 << 16), "", 0, output_bytes=160 << 16),
}


@pytest.mark.parametrize("name", MISSING)
async def test_a_limit_that_is_not_held_is_seen(name: str) -> None:
    """What a run would tell that met no limit; really to meet none would take this machine's memory."""

    async def run(request: RunRequest) -> RunResult:
        return MISSING[name]

    checker = Checker(Engine("unix:///none"), Image("sha256:0", "sha256:0", True), run, ())
    found = await getattr(checker, f"_{name}")()
    assert (found.name, found.holds, found.required) == (name, False, True)
    with pytest.raises(SandboxError, match=f"does not hold {name}"):
        refuse_missing([found])


async def test_a_limit_on_processes_that_is_not_set_is_found(settings, monkeypatch) -> None:
    take_away(monkeypatch, {"PidsLimit": -1})
    async with DockerSandbox(replace(settings, preheated=0)) as sandbox:
        image = await sandbox._in_thread(sandbox._find_image)
        assert (await sandbox._checker(image)._processes()).holds is False


async def test_a_container_that_outlives_its_owner_is_found(settings, monkeypatch) -> None:
    take_away(monkeypatch, {"AutoRemove": False})
    left: list[str] = []
    original = Engine.is_gone
    monkeypatch.setattr(
        Engine, "is_gone", lambda self, box, seconds: left.append(box) or original(self, box, seconds=1)
    )
    async with DockerSandbox(replace(settings, preheated=0)) as sandbox:
        found = await sandbox._dies_with_owner(await sandbox._in_thread(sandbox._find_image))
        sandbox.engine.remove(left[0])
    assert (found.holds, found.required) == (False, True)


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


@pytest.fixture(scope="module")
def held(settings) -> list[Protection]:
    """The whole check on this engine."""

    async def check() -> list[Protection]:
        async with DockerSandbox(settings) as sandbox:
            return list(await sandbox.check())

    return asyncio.run(check())


def test_every_protection_holds_here(held) -> None:
    assert sorted(each.name for each in held) == sorted(PROTECTIONS)
    assert [each for each in held if not each.holds] == []


def check(config: Path, found: list[Protection], monkeypatch, *options: str) -> Result:
    """The command, with what the engine showed before."""

    async def told(self) -> list[Protection]:
        return found

    monkeypatch.setattr(DockerSandbox, "check", told)
    return CliRunner().invoke(cli, ["-c", str(config), "sandbox", "check", *options])


def test_the_command_prints_a_table(config: Path, held, monkeypatch) -> None:
    done = check(config, held, monkeypatch)
    assert done.exit_code == 0, done.output
    assert "system-calls" in done.output and "holds" in done.output and "NOT" not in done.output


@pytest.mark.parametrize("name", ["system-calls", "memory"])
def test_the_command_fails_where_something_required_does_not_hold(
    config: Path, held, monkeypatch, name: str
) -> None:
    found = [replace(each, holds=each.name != name) for each in held]
    done = check(config, found, monkeypatch)
    assert done.exit_code == 1 and "DOES NOT HOLD" in done.output
    assert f"Runs are refused: {name}." in done.output
    told = check(config, found, monkeypatch, "--json")
    assert [each["name"] for each in json.loads(told.output) if not each["holds"]] == [name]
    assert told.exit_code == 1


def test_what_is_not_required_is_told_and_fails_nothing(config: Path, held, monkeypatch) -> None:
    found = [replace(each, holds=each.name != "image-by-digest") for each in held]
    done = check(config, found, monkeypatch)
    assert done.exit_code == 0 and "does not hold, not required" in done.output


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
