"""Where an engine lacks what the burst tier needs, runs are single-use and say so; none is less protected."""

from __future__ import annotations

import json
import platform
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from toolcrib.sandbox import Limits, RunRequest, RunResult
from toolcrib_sandbox import DockerSandbox, DockerSettings, _spec
from toolcrib_sandbox._check import PROBED, Checker
from toolcrib_sandbox._engine import Engine, Image
from toolcrib_sandbox.guest.burst import Nest
from toolcrib_sandbox.guest.channel import Channel

NOTE = "Single use instead of burst, which this host forbids: "


def without(*calls: str) -> Callable[[bool], str]:
    """The profiles of an engine on which these calls are refused, as AppArmor, gVisor or a sysctl does."""
    original = _spec.profile

    def profile(nested: bool) -> str:
        found = json.loads(original(nested))
        for rule in found["syscalls"] if nested else ():
            rule["names"] = [name for name in rule["names"] if name not in calls]
        return json.dumps(found)

    return profile


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda nested: _strict(), "clone: Operation not permitted", id="namespaces"),
        pytest.param(without("mount"), "mount /box: Operation not permitted", id="mount"),
        pytest.param(without("capset"), "capset: Operation not permitted", id="capset"),
        pytest.param(without("prctl"), "seccomp: Operation not permitted", id="second filter"),
    ],
)
async def test_without_it_runs_are_single_use_and_say_so(
    settings: DockerSettings, small, monkeypatch, change, says: str
) -> None:
    monkeypatch.setattr(_spec, "profile", change)
    async with DockerSandbox(replace(settings, tier="burst", preheated=0)) as sandbox:
        told = await sandbox.run(RunRequest("print(open('/proc/self/status').read())", limits=small))
        status = dict(line.split(":\t", 1) for line in told.stdout.splitlines() if ":\t" in line)
        assert (status["CapBnd"], status["NoNewPrivs"], status["Seccomp"]) == ("0" * 16, "1", "2")
        (note,) = told.notes
        assert note.startswith(NOTE) and says in note
        assert told.durations.start > 0, "a container of its own"
        assert sandbox._cannot_burst and not any(sandbox._warm._idle.values()), "it is not tried again"


_original = _spec.profile


def _strict() -> str:
    """No namespaces for anybody."""
    return _original(False)


async def test_with_all_that_it_needs_nothing_is_said(settings: DockerSettings, small) -> None:
    async with DockerSandbox(replace(settings, tier="burst")) as sandbox:
        told = await sandbox.run(RunRequest("print(1)", limits=small))
        assert (told.stdout, told.notes) == ("1\n", ())
        assert len([box for boxes in sandbox._warm._idle.values() for box in boxes]) == 1


async def test_the_check_looks_at_the_burst_tier_too(settings: DockerSettings, monkeypatch) -> None:
    """Take the second filter away, which single use does not have: only a look into a burst shows it."""
    original = _spec.guest_argument

    def without_filter(*given) -> str:
        source, lock = original(*given), "_check(LIBC.prctl(SET_SECCOMP, 2, ctypes.byref(_filter()), 0, 0)"
        assert lock in source
        return source.replace(lock, "_check(0")

    monkeypatch.setattr(_spec, "guest_argument", without_filter)
    async with DockerSandbox(replace(settings, tier="burst", preheated=0)) as sandbox:
        image = await sandbox._in_thread(sandbox._find_image)
        checker = sandbox._checker(image, whole=True)
        alone = {each.name: each.holds for each in await checker._probed()}
        there = {each.name: each.holds for each in await checker._probed(checker._burst)}
    assert all(alone.values())
    assert not there["namespaces"] and there["capabilities"] and there["network"]


@pytest.mark.parametrize(("nested", "holds"), [(True, True), (False, False)])
async def test_what_does_not_hold_in_a_burst_does_not_hold(nested: bool, holds: bool) -> None:
    def told(good: bool):
        async def run(request: RunRequest) -> RunResult:
            everything = {name: [good or name != "namespaces", ""] for name in PROBED}
            return RunResult(json.dumps(everything), "", 0)

        return run

    image = Image("sha256:0", "sha256:0", True)
    checker = Checker(Engine("tcp://none"), image, told(True), (), burst=told(nested))
    for name in ("_memory", "_processes", "_processor", "_time", "_output"):
        setattr(checker, name, lambda: _nothing())
    found = {each.name: each.holds for each in await checker.everything() if each}
    assert found["namespaces"] is holds and found["network"] is True


async def _nothing() -> None:
    """No limit is run into here."""


def test_a_machine_for_which_no_filter_is_written_does_not_nest(monkeypatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    nest = Nest(Channel(-1, -1), {}, program=None)
    nest.settle()
    nest.give_up()
    assert nest.pid == 0 and nest.trouble == "nesting: no system-call filter is written for riscv64"
    nest.close()


def test_beside_threads_that_a_module_started_there_is_no_nesting() -> None:
    """What was forked by `clone` would wait for them for ever, as numpy's OpenBLAS does."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        nest = Nest(Channel(-1, -1), {}, program=None)
        assert nest.pid == 0 and nest.trouble == "nesting: a module that is preloaded has started threads"
        nest.close()
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(("nested", "threads"), [(False, "2"), (True, "1")])
def test_libraries_are_told_how_many_threads_there_is_room_for(nested: bool, threads: str) -> None:
    spec = replace(_spec.spec_for(Limits(cpus=2.5), image="sha256:0"), nested=nested)
    assert {spec.environment[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS")} == {threads}
    assert set(spec.environment) == set(_spec.ENVIRONMENT), "the self test knows every name"
