"""An engine of our own, to do to it what nobody may do to one that others use: kill it, and fill its disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from toolcrib.errors import SandboxError
from toolcrib.sandbox import Limits, RunRequest
from toolcrib.testing.counterparts import missing
from toolcrib_sandbox import DockerSandbox, DockerSettings, local_image
from toolcrib_sandbox._engine import Engine

SMALL = Limits(memory=64 << 20, disk=16 << 20, output=4096, wall=120, processes=16, artifacts=8)
DISK = "900m"


@dataclass
class OwnEngine:
    """A dockerd in a network and a mount namespace of its own, with a small disk of its own."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def start(self) -> None:
        """Start it, or start it again; returns once it answers."""
        place, spaces = self.folder, f"/proc/{self.holder.pid}/ns"
        command = f"nsenter --mount={spaces}/mnt --net={spaces}/net dockerd --host {self.host}"
        folders = f"--data-root {place}/data --exec-root {place}/exec --pidfile {place}/pid"
        offline = "--bridge none --iptables=false --ip-masq=false"
        with (place / "log").open("a") as log:
            words = f"{command} {folders} {offline}".split()
            started = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes.append(started)
        end = time.monotonic() + 60
        while not self.answers():
            said = (place / "log").read_text()[-2000:]
            assert started.poll() is None and time.monotonic() < end, said
            time.sleep(0.05)

    def hold(self) -> None:
        """Make the namespaces, and the disk in them."""
        data = self.folder / "data"
        data.mkdir()
        script = f"mount -t tmpfs -o size={DISK} disk {data} && echo ready && exec sleep 600"
        command = ["unshare", "--mount", "--net", "sh", "-c", script]
        self.holder = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self.holder.stdout is not None and self.holder.stdout.readline() == b"ready\n"

    @property
    def disk(self) -> Path:
        """Its data folder, as seen from here."""
        return Path(f"/proc/{self.holder.pid}/root{self.folder}/data")

    def answers(self) -> bool:
        engine = Engine(self.host)
        with contextlib.closing(engine), contextlib.suppress(SandboxError):
            return bool(engine.info())
        return False

    def kill(self) -> None:
        """As a crash would, its containerd with it: nothing is told to anybody."""
        for pid, name in self._inside().items():
            if name in ("dockerd", "containerd"):
                os.kill(pid, signal.SIGKILL)
        self.processes[-1].wait()
        for left in ("pid", "exec/containerd/containerd.pid", "exec/containerd/containerd.sock"):
            (self.folder / left).unlink(missing_ok=True)  # of processes that nobody may have collected

    def stop(self) -> None:
        """End it and all that a killed one may have left: shims, and the containers that they look after."""
        if self.processes and self.processes[-1].poll() is None:
            self.processes[-1].terminate()
            self.processes[-1].wait(60)
        for pid in self._inside():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.holder.kill()
        self.holder.wait()
        assert self.holder.stdout is not None
        self.holder.stdout.close()

    def _inside(self) -> dict[int, str]:
        """The processes of its mount namespace and their names, but for its holder."""
        space, found = Path(f"/proc/{self.holder.pid}/ns/mnt").stat().st_ino, {}
        for each in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (each / "ns" / "mnt").stat().st_ino == space and int(each.name) != self.holder.pid:
                    found[int(each.name)] = (each / "comm").read_text().strip()
        return found


@pytest.fixture(scope="module")
def own() -> Iterator[OwnEngine]:
    if os.getuid() != 0 or not all(map(shutil.which, ("dockerd", "unshare", "nsenter"))):
        missing(
            "NO ENGINE WAS KILLED: these tests start one of their own, which needs root, dockerd and unshare"
        )
    folder = Path(tempfile.mkdtemp(prefix="toolcrib-own-"))
    engine = OwnEngine(folder)
    try:
        engine.hold()
        engine.start()
        opened = Engine(engine.host)
        local_image.build(opened.api, "toolcrib-sandbox:own")
        opened.close()
        yield engine
    finally:
        engine.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings(own: OwnEngine) -> DockerSettings:
    return DockerSettings(host=own.host, image="toolcrib-sandbox:own", containers=2, preheated=1)


def containers(own: OwnEngine) -> list[str]:
    engine = Engine(own.host)
    with contextlib.closing(engine):
        return [str(each["Id"]) for each in engine.api.containers(all=True)]


async def test_an_engine_that_is_restarted_in_mid_run(own: OwnEngine, settings: DockerSettings) -> None:
    async with DockerSandbox(settings) as sandbox:
        await sandbox.run(RunRequest("1", limits=SMALL))
        running = asyncio.ensure_future(sandbox.run(RunRequest("while True: pass", limits=SMALL)))
        while not [box for box in sandbox._pool._taken if box.runs]:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(own.kill)
        with pytest.raises(SandboxError) as lost:
            await asyncio.wait_for(running, 30)
        assert "before its result" in str(lost.value) or "does not answer" in str(lost.value)
        with pytest.raises(SandboxError) as gone:
            await asyncio.wait_for(sandbox.run(RunRequest("1", limits=SMALL)), 30)
        assert gone.value.remedy
        await asyncio.to_thread(own.start)
        healed = await asyncio.wait_for(sandbox.run(RunRequest("print(6 * 7)", limits=SMALL)), 60)
        assert healed.stdout == "42\n"
    deadline = time.monotonic() + 30
    while (left := await asyncio.to_thread(containers, own)) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert left == [], "no container outlives its owner, also if the engine did not"


async def test_an_engine_whose_disk_is_full(own: OwnEngine, settings: DockerSettings) -> None:
    filler = own.disk / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
            file.flush()
    async with DockerSandbox(replace(settings, preheated=0)) as sandbox:
        with pytest.raises(SandboxError, match=r"its disk is full.*docker system df"):
            await sandbox.run(RunRequest("1", limits=SMALL))
        filler.unlink()
        assert (await sandbox.run(RunRequest("print(1)", limits=SMALL))).stdout == "1\n"


NOBODY = """
import os, sys
import asyncio, docker.api.client, requests, toolcrib.errors
from toolcrib.errors import SandboxError
from toolcrib.sandbox import RunRequest
from toolcrib_sandbox import DockerSandbox, DockerSettings
from toolcrib_sandbox._engine import Engine
with __import__("contextlib").suppress(SandboxError):
    Engine("unix:///nowhere.sock").info()  # all is imported before this user may not read it any more
os.setgroups([]); os.setgid(65534); os.setuid(65534)

async def main():
    async with DockerSandbox(DockerSettings(host=sys.argv[1])) as sandbox:
        await sandbox.run(RunRequest("1"))

try:
    asyncio.run(main())
except SandboxError as error:
    print(error)
"""


def test_a_user_who_may_not_use_the_engine_is_told_what_to_do(own: OwnEngine) -> None:
    own.folder.chmod(0o755)
    (own.folder / "docker.sock").chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-c", NOBODY, own.host], capture_output=True, text=True, check=False
    )
    assert "this user may not use it" in done.stdout, done.stdout + done.stderr
    assert "Add the user to the engine's group" in done.stdout
