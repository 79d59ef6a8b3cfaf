"""One run of `print(1)`, side by side on the same engine and image: ours in three tiers, and the neighbours.

Each part is measured in one run; read the ratios. Neighbours that are not installed are left out and said.

The aims are 5 ms in the middle, 10 ms for 95 of 100 and 200 runs a second, set on a machine where
`docker exec` took 66 ms and a hardened one-shot container 147. On any machine they are therefore 13, 6.6 and
29 times, and 13 runs of a burst in the time of one `docker exec`.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable

from toolcrib.sandbox import Limits, RunRequest
from toolcrib_sandbox import DockerSandbox, DockerSettings
from toolcrib_sandbox._engine import Engine
from toolcrib_sandbox._spec import spec_for
from toolcrib_sandbox.testing import TestEngine, engine_for_tests

ROUNDS = 12
REQUEST = RunRequest("print(1)", limits=Limits(memory=128 << 20, disk=16 << 20))


async def timed(work: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> list[float]:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        await work()
        times.append(time.perf_counter() - start)
    return sorted(times)


async def preheated(settings: DockerSettings) -> list[float]:
    """Submit to result, each after the pool has filled up again."""
    async with DockerSandbox(settings) as sandbox:
        times = []
        await sandbox.run(REQUEST)
        for _ in range(3 * ROUNDS):
            while sandbox._pool._starting.total() or sandbox._pool._going:
                await asyncio.sleep(0.01)
            times += await timed(lambda: sandbox.run(REQUEST), 1)
    return sorted(times)


async def cold(settings: DockerSettings) -> list[float]:
    async with DockerSandbox(
        DockerSettings(image=settings.image, host=settings.host, preheated=0)
    ) as sandbox:
        await sandbox.run(REQUEST)
        return await timed(lambda: sandbox.run(REQUEST))


async def burst(settings: DockerSettings) -> tuple[list[float], float]:
    burst = DockerSettings(image=settings.image, host=settings.host, tier="burst", containers=4, preheated=0)
    async with DockerSandbox(burst) as sandbox:
        await sandbox.run(REQUEST)
        await asyncio.gather(*(sandbox.run(REQUEST) for _ in range(4)))  # all four containers are there
        times = await timed(lambda: sandbox.run(REQUEST), 50)
        start, count = time.perf_counter(), 400

        async def some() -> None:
            for _ in range(count // 4):
                await sandbox.run(REQUEST)

        await asyncio.gather(*(some() for _ in range(4)))
        return times, count / (time.perf_counter() - start)


async def flood(settings: DockerSettings) -> float:
    """MiB that this process grew by while 1 GB was written inside."""
    code = "import os\nfor _ in range(16384): os.write(1, b'x' * 65536)"
    async with DockerSandbox(settings) as sandbox:
        await sandbox.run(REQUEST)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = await sandbox.run(RunRequest(code, limits=Limits(wall=120)))
        assert result.output_bytes == 1 << 30
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


async def one_shot(engine: TestEngine) -> list[float]:
    """A container with every flag of ours, for one `python3 -c`, by the engine's bare interface."""
    own = Engine(engine.host)
    spec = spec_for(REQUEST.limits, image=engine.image)

    def run() -> None:
        made = own.api.create_container(
            engine.image,
            entrypoint=["python3", "-I", "-c", "print(1)"],
            user="10001:10001",
            network_disabled=True,
            host_config=spec._host_config(own.api),
        )["Id"]
        attached = own.api.attach_socket(made, params={"stdout": 1, "stream": 1})
        own.api.start(made)
        assert b"".join(iter(lambda: attached.read(4096), b"")).endswith(b"1\n")
        attached.close()

    try:
        return await timed(lambda: asyncio.to_thread(run))
    finally:
        own.close()


async def docker_exec(engine: TestEngine) -> list[float]:
    """Another process in a container that stays."""
    own = Engine(engine.host)
    warm = own.api.create_container(engine.image, entrypoint=["sleep", "600"], network_disabled=True)["Id"]

    def run() -> None:
        made = own.api.exec_create(warm, ["python3", "-c", "print(1)"])["Id"]
        assert own.api.exec_start(made) == b"1\n"

    try:
        own.api.start(warm)
        return await timed(lambda: asyncio.to_thread(run), 2 * ROUNDS)
    finally:
        own.api.remove_container(warm, force=True)
        own.close()


async def docker(engine: TestEngine, *arguments: str) -> None:
    command = ["docker", "--host", engine.host, *arguments]
    made = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    out, _ = await made.communicate()
    assert out.strip().endswith(b"1"), out


async def autogen(engine: TestEngine) -> list[float]:
    from autogen_core import CancellationToken
    from autogen_core.code_executor import CodeBlock
    from autogen_ext.code_executors.docker import DockerCommandLineCodeExecutor

    os.environ["DOCKER_HOST"] = engine.host  # it can be told in no other way
    with tempfile.TemporaryDirectory() as folder:
        async with DockerCommandLineCodeExecutor(image=engine.image, work_dir=folder) as executor:
            block = [CodeBlock(code="print(1)", language="python")]
            return await timed(lambda: executor.execute_code_blocks(block, CancellationToken()))


async def llm_sandbox(engine: TestEngine) -> list[float]:
    from docker import DockerClient
    from llm_sandbox import SandboxSession

    client = DockerClient(base_url=engine.host)
    with SandboxSession(
        client=client, image=engine.image, lang="python", skip_environment_setup=True
    ) as session:
        return await timed(lambda: asyncio.to_thread(session.run, "print(1)"))


async def measure(engine: TestEngine) -> None:
    settings = DockerSettings(image=engine.image, host=engine.host, containers=6, preheated=2)
    grown = await flood(settings)  # first: it is the peak that is compared
    rows: dict[str, list[float]] = {"preheated, single use": await preheated(settings)}
    rows["burst"], rate = await burst(settings)
    rows["one-shot, cold"] = await cold(settings)
    rows["docker exec, warm"] = await docker_exec(engine)
    rows["one-shot, hardened"] = await one_shot(engine)
    plain = ("run", "--rm", "--network", "none", "--entrypoint", "python3", engine.image, "-c", "print(1)")
    rows["docker run"] = await timed(lambda: docker(engine, *plain))
    for name, work in (("autogen-ext, warm", autogen), ("llm-sandbox, warm", llm_sandbox)):
        try:
            rows[name] = await work(engine)
        except Exception as error:
            print(f"{name}: not measured: {type(error).__name__}: {str(error)[:100]}")
    show(rows, rate, grown)


def show(rows: dict[str, list[float]], rate: float, grown: float) -> None:
    ours = rows["preheated, single use"]
    first, slow = statistics.median(ours), ours[int(len(ours) * 0.95)]
    for name, times in rows.items():
        half, most = statistics.median(times), times[int(len(times) * 0.95)]
        print(
            f"{name:24} p50 {half * 1e3:8.1f} ms   p95 {most * 1e3:8.1f} ms   {half / first:6.1f} x preheated"
        )
    print(f"{'burst, 4 at once':24} {rate:8.0f} runs/s")
    print()
    of_exec, of_shot = (statistics.median(rows[n]) for n in ("docker exec, warm", "one-shot, hardened"))
    for what, here, aim in (
        ("docker exec / preheated p50", of_exec / first, 13.0),
        ("docker exec / preheated p95", of_exec / slow, 6.6),
        ("one-shot, hardened / preheated p50", of_shot / first, 29.0),
        ("runs of a burst per docker exec", of_exec * rate, 13.0),
    ):
        print(f"{what:36} aim {aim:5.1f}   here {here:5.1f}   {'met' if here >= aim else 'MISSED'}")
    met = "met" if grown < 10 else "MISSED"
    print(f"{'flood of 1 GB: this process grew by':36} aim < 10.0   here {grown:5.1f} MiB   {met}")


def main() -> None:
    with engine_for_tests() as engine:
        asyncio.run(measure(engine))


if __name__ == "__main__":
    sys.exit(main())
