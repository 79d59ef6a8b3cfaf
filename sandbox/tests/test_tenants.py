"""Two tenants never see each other's files, memory or sockets, nor share a burst container."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from toolcrib.sandbox import RunRequest
from toolcrib_sandbox import DockerSandbox

LEAVE = """
import os, socket, subprocess, sys
for folder in ("/box", "/tmp", "/dev/shm"):
    open(f"{folder}/secret-of-acme", "w").write("secret")
made = socket.socket(socket.AF_UNIX); made.bind("\\0secret-of-acme"); made.listen()
port = socket.create_server(("127.0.0.1", 7777))
os.environ["SECRET"] = "secret"
"""
LOOK = """
import os, socket
found = [f for f in ("/box", "/tmp", "/dev/shm") if os.listdir(f)]
for family, address in ((socket.AF_UNIX, "\\0secret-of-acme"), (socket.AF_INET, ("127.0.0.1", 7777))):
    try:
        socket.socket(family).connect(address); found.append(address)
    except OSError:
        pass
print(found, "SECRET" in os.environ, "secret-of-acme" in open("/proc/net/unix").read())
"""


@pytest.mark.parametrize("tier", ["single-use", "burst"])
async def test_nothing_is_left_for_the_next(settings, small, tier: str) -> None:
    async with DockerSandbox(replace(settings, tier=tier)) as sandbox:
        for tenant in ("acme", "evil"):
            left = await sandbox.run(RunRequest(LEAVE, tenant="acme", limits=small))
            assert left.exit_code == 0, left.stderr
            seen = await sandbox.run(RunRequest(LOOK, tenant=tenant, limits=small))
            assert seen.stdout == "[] False False\n", seen.stderr
            if tier == "burst":
                assert not seen.notes


@pytest.mark.parametrize("tier", ["single-use", "burst"])
async def test_nor_for_one_at_the_same_time(settings, small, tier: str) -> None:
    async with DockerSandbox(replace(settings, tier=tier)) as sandbox:
        await sandbox.run(RunRequest("1", tenant="evil", limits=small))
        stays = sandbox.run(RunRequest(LEAVE + "\nimport time; time.sleep(2)", tenant="acme", limits=small))
        running = asyncio.ensure_future(stays)
        while not running.done():
            seen = await sandbox.run(RunRequest(LOOK, tenant="evil", limits=small))
            assert seen.stdout == "[] False False\n", seen.stderr
        assert running.result().exit_code == 0


async def test_a_burst_container_has_one_tenant(settings, small) -> None:
    async with DockerSandbox(replace(settings, tier="burst", containers=2, preheated=0)) as sandbox:
        for tenant in ("a", "b", "c", "a", "b"):
            result = await sandbox.run(RunRequest("print(1)", tenant=tenant, limits=small))
            assert result.stdout == "1\n"
            for (_, owner), boxes in sandbox._warm._idle.items():
                for box in boxes:
                    box.owners = {*getattr(box, "owners", ()), owner}
                    assert len(box.owners) == 1


async def test_a_burst_container_is_used_again_but_not_after_a_bad_end(settings, small) -> None:
    async with DockerSandbox(replace(settings, tier="burst", burst_runs=3)) as sandbox:

        async def container(code: str = "1", wall: float = 10) -> str:
            await sandbox.run(RunRequest(code, limits=replace(small, wall=wall)))
            return next((b.container for boxes in sandbox._warm._idle.values() for b in boxes), "")

        first = await container()
        assert first and await container() == first
        assert await container() == ""  # the third run was its last
        assert await container()
        assert await container("while True: pass", wall=0.5) == ""
