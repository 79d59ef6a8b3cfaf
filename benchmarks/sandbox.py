"""One run of `print(1)`, side by side on the same engine and image: ours in three tiers, and the neighbours.

Each part is measured in one run; read the ratios. Neighbours that are not installed are left out and said.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable

from toolcrib.sandbox import Limits, RunRequest
from toolcrib_sandbox import DockerSandbox, DockerSettings
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
        times, start, count = await timed(lambda: sandbox.run(REQUEST), 50), time.perf_counter(), 200
        for _ in range(count // 4):
            await asyncio.gather(*(sandbox.run(REQUEST) for _ in range(4)))
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


async def docker(engine: TestEngine, *arguments: str) -> None:
    command = ["docker", "--host", engine.host, *arguments]
    made = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    out, _ = await made.communicate()
    assert out.strip().endswith(b"1"), out


async def autogen(engine: TestEngine) -> list[float]:
    from autogen_core import CancellationToken
    from autogen_core.code_executor import CodeBlock
    from autogen_ext.code_executors.docker import DockerCommandLineCodeExecutor

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
    plain = ("run", "--rm", "--network", "none", "--entrypoint", "python3", engine.image, "-c", "print(1)")
    rows["docker run"] = await timed(lambda: docker(engine, *plain))
    for name, work in (("autogen-ext, warm", autogen), ("llm-sandbox, warm", llm_sandbox)):
        try:
            rows[name] = await work(engine)
        except Exception as error:
            print(f"{name}: not measured: {type(error).__name__}: {str(error)[:100]}")
    first = statistics.median(rows["preheated, single use"])
    for name, times in rows.items():
        half, most = statistics.median(times), times[int(len(times) * 0.95)]
        print(
            f"{name:24} p50 {half * 1e3:8.1f} ms   p95 {most * 1e3:8.1f} ms   {half / first:6.1f} x preheated"
        )
    print(f"{'burst, 4 at once':24} {rate:8.0f} runs/s")
    print(f"{'flood of 1 GB':24} this process grew by {grown:.1f} MiB")


def main() -> None:
    with engine_for_tests() as engine:
        asyncio.run(measure(engine))


if __name__ == "__main__":
    sys.exit(main())
