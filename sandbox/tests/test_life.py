"""Containers come and go with whoever owns them, and with the engine."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from toolcrib.errors import SandboxError
from toolcrib.sandbox import RunRequest
from toolcrib_sandbox import DockerSandbox, DockerSettings
from toolcrib_sandbox._engine import Engine

OWNER = """
import asyncio, sys
from toolcrib.sandbox import Limits, RunRequest
from toolcrib_sandbox import DockerSandbox, DockerSettings

async def main():
    sandbox = DockerSandbox(DockerSettings(host=sys.argv[1], image=sys.argv[2], containers=4, preheated=2))
    limits = Limits(memory=96 << 20, disk=16 << 20, wall=60)
    await sandbox.run(RunRequest("1", limits=limits))
    session = await sandbox.session("acme", limits)
    await session.run(RunRequest("x = 1", tenant="acme", limits=limits))
    running = asyncio.ensure_future(sandbox.run(RunRequest("import time; time.sleep(50)", limits=limits)))
    while not [box for box in sandbox._pool._taken if box.runs and box is not session._box]:
        await asyncio.sleep(0.01)
    print(" ".join(box.container for box in sandbox._pool._taken), flush=True)
    await running

asyncio.run(main())
"""


def test_no_container_outlives_an_owner_that_was_killed(engine) -> None:
    command = [sys.executable, "-c", OWNER, engine.host, engine.image]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        containers = owner.stdout.readline().split()
        asking = Engine(engine.host)
        assert len(containers) == 2
        assert all(asking.api.inspect_container(each)["State"]["Running"] for each in containers)
        os.kill(owner.pid, signal.SIGKILL)
    assert [each for each in containers if not asking.is_gone(each, 30)] == []
    asking.close()


async def test_closing_leaves_nothing(settings: DockerSettings, small) -> None:
    async with DockerSandbox(settings) as sandbox:
        await sandbox.run(RunRequest("1", limits=small))
        session = await sandbox.session("acme", small)
        containers = {box.container for box in sandbox._pool._taken}
        assert containers
    asking = Engine(settings.host)
    left = {each["Id"] for each in asking.api.containers(all=True)}
    asking.close()
    assert containers & left == set()
    with pytest.raises(SandboxError, match=r"ended|closed|killed"):
        await session.run(RunRequest("1", tenant="acme", limits=small))
    with pytest.raises(SandboxError, match="closed"):
        await sandbox.run(RunRequest("1", limits=small))


async def test_a_cancelled_run_ends_and_the_next_one_works(settings: DockerSettings, small) -> None:
    async with DockerSandbox(replace(settings, containers=1, preheated=0)) as sandbox:
        await sandbox.run(RunRequest("1", limits=small))
        endless = RunRequest("while True: pass", limits=replace(small, wall=300))
        running = asyncio.ensure_future(sandbox.run(endless))
        while not [box for box in sandbox._pool._taken if box.runs]:
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await sandbox.run(RunRequest("print(1)", limits=small))).stdout == "1\n"


async def test_who_waits_too_long_is_told_which_setting(settings: DockerSettings, small) -> None:
    async with DockerSandbox(replace(settings, containers=1, preheated=0)) as sandbox:
        session = await sandbox.session("acme", small)
        sandbox.settings = replace(sandbox.settings, queue_seconds=0.3)
        with pytest.raises(SandboxError, match=r"\[sandbox\] containers = 1, queue_seconds"):
            await sandbox.run(RunRequest("1", limits=small))
        await session.close()
        sandbox.settings = replace(sandbox.settings, queue_seconds=60)
        assert (await sandbox.run(RunRequest("print(1)", limits=small))).stdout == "1\n"


async def test_a_full_queue_refuses_at_once(settings: DockerSettings, small) -> None:
    async with DockerSandbox(replace(settings, containers=1, preheated=0, queue=0)) as sandbox:
        session = await sandbox.session("acme", small)
        waiting = asyncio.ensure_future(sandbox.run(RunRequest("print(1)", limits=small)))
        while not any(sandbox._pool._waiting.values()):
            await asyncio.sleep(0.01)
        with pytest.raises(SandboxError, match="wait for a sandbox already"):
            await sandbox.run(RunRequest("1", limits=small))
        await session.close()
        assert (await waiting).stdout == "1\n"


async def test_kinds_make_room_for_one_another(settings: DockerSettings, small) -> None:
    async with DockerSandbox(replace(settings, containers=2, preheated=1)) as sandbox:
        for megabytes in (64, 80, 96, 64):
            result = await sandbox.run(RunRequest("print(1)", limits=replace(small, memory=megabytes << 20)))
            assert result.stdout == "1\n"


async def test_many_at_once(settings: DockerSettings, small) -> None:
    async with DockerSandbox(settings) as sandbox:
        runs = [sandbox.run(RunRequest(f"print({n})", limits=small)) for n in range(12)]
        assert [result.stdout for result in await asyncio.gather(*runs)] == [f"{n}\n" for n in range(12)]


def test_from_several_event_loops(settings: DockerSettings, small) -> None:
    sandbox, told = DockerSandbox(settings), []

    def use(number: int) -> None:
        told.append(asyncio.run(sandbox.run(RunRequest(f"print({number})", limits=small))).stdout)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(sandbox.close())
    assert sorted(told) == ["0\n", "1\n", "2\n"]


# --- engines that are not there, or not for us


async def test_no_engine(small, tmp_path) -> None:
    async with DockerSandbox(DockerSettings(host=f"unix://{tmp_path}/none.sock")) as sandbox:
        with pytest.raises(SandboxError, match=r"does not answer.*Start it"):
            await sandbox.run(RunRequest("1", limits=small))


async def test_no_image(settings: DockerSettings, small) -> None:
    async with DockerSandbox(replace(settings, image="toolcrib-none:such")) as sandbox:
        with pytest.raises(SandboxError, match=r"no image 'toolcrib-none:such'.*docker pull"):
            await sandbox.run(RunRequest("1", limits=small))


async def test_an_image_of_this_machine_is_made_when_it_is_not_there(settings: DockerSettings, small) -> None:
    async with DockerSandbox(replace(settings, image="local")) as sandbox:
        result = await sandbox.run(RunRequest("import sys; print(sys.version)", limits=small))
        held = {each.name: each.holds for each in await sandbox._checker(sandbox._image).everything()}
    assert result.stdout.strip() == sys.version and result.image.startswith("sha256:")
    assert held["image-by-digest"]


async def test_no_such_runtime(settings: DockerSettings, small) -> None:
    async with DockerSandbox(replace(settings, runtime="toolcrib-none")) as sandbox:
        with pytest.raises(SandboxError, match=r"\[sandbox\] runtime"):
            await sandbox.run(RunRequest("1", limits=small))


async def test_no_such_module_to_preload(settings: DockerSettings, small) -> None:
    async with DockerSandbox(replace(settings, preload=("toolcrib_none",))) as sandbox:
        with pytest.raises(SandboxError, match="no module 'toolcrib_none'"):
            await sandbox.run(RunRequest("1", limits=small))


async def test_preloaded_modules_are_there(settings: DockerSettings, small) -> None:
    async with DockerSandbox(replace(settings, preload=("fractions",))) as sandbox:
        result = await sandbox.run(RunRequest("import sys; print('fractions' in sys.modules)", limits=small))
    assert result.stdout == "True\n"


async def test_a_container_that_is_killed_is_an_error_and_the_pool_heals(settings, small) -> None:
    async with DockerSandbox(settings) as sandbox:
        await sandbox.run(RunRequest("1", limits=small))
        running = asyncio.ensure_future(
            sandbox.run(RunRequest("while True: pass", limits=replace(small, wall=60)))
        )
        while not (taken := [box for box in sandbox._pool._taken if box.runs]):
            await asyncio.sleep(0.01)
        idle = [box for boxes in sandbox._pool._idle.values() for box in boxes]
        for box in (*taken, *idle):  # what a restart of the engine does to all of them
            sandbox.engine.remove(box.container)
        with pytest.raises(SandboxError, match="before its result"):
            await running
        assert (await sandbox.run(RunRequest("print(1)", limits=small))).stdout == "1\n"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 500 no space left on device\r\n\r\n", b"\x00\xff" * 100])
async def test_an_engine_that_talks_nonsense(small, tmp_path, answer: bytes) -> None:
    path = str(tmp_path / "engine.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def serve() -> None:
            try:
                while True:
                    with server.accept()[0] as one:
                        one.recv(4096)
                        one.sendall(answer)
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        async with DockerSandbox(DockerSettings(host=f"unix://{path}")) as sandbox:
            with pytest.raises(SandboxError, match="Docker engine"):
                await sandbox.run(RunRequest("1", limits=small))
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
