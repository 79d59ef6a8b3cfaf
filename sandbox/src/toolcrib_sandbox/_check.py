"""Whether the protections hold on this engine, by trying them.

`quick` is one container and a look at what the engine says of itself, done before the first run. The whole
check adds what only shows when a limit is run into, each in a container of its own.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from toolcrib.errors import SandboxError
from toolcrib.sandbox import Limits, Protection, RunRequest, RunResult
from toolcrib_sandbox._engine import Engine, Image
from toolcrib_sandbox._spec import ENVIRONMENT, MIB

__all__ = ["PROTECTIONS", "Checker", "refuse_missing"]

Runs = Callable[[RunRequest], Awaitable[RunResult]]
_LIMITS = Limits(
    memory=64 * MIB, disk=8 * MIB, output=16 * 1024, wall=20.0, cpus=1.0, processes=16, artifacts=0
)
_ENGINE_FLAGS = {"MemoryLimit": "memory", "PidsLimit": "processes", "CpuCfsQuota": "processor"}

PROBED = (
    *("user", "capabilities", "root-filesystem", "network", "socket-families", "system-calls", "namespaces"),
    *(
        "runner",
        "devices",
        "kernel-settings",
        "host-secrets",
        "processes-of-others",
        "programs",
        "open-files",
    ),
    "disk",
)
RUN_INTO = ("memory", "processes", "processor", "time", "output", "dies-with-owner")
PROTECTIONS = (*PROBED, *RUN_INTO, "image-by-digest")
ADVISED = ("image-by-digest",)
"""Good to have; runs do without."""

_FORKS = """
import os, time
started = 0
try:
    while started < 200:
        if os.fork() == 0:
            time.sleep(30)
        started += 1
finally:
    print(started, flush=True)
"""
_SPINS = """
import os, resource, time
end = time.monotonic() + 1
for _ in range(4):
    if os.fork() == 0:
        while time.monotonic() < end:
            pass
        os._exit(0)
for _ in range(4):
    os.wait()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""
_STAYS = """
import signal
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
"""


class Checker:
    """Tries the protections of one sandbox. `burst` runs code in the burst tier, where that is wanted: then a
    protection holds if it holds there too.
    """

    def __init__(
        self, engine: Engine, image: Image, run: Runs, waived: Sequence[str], burst: Runs | None = None
    ) -> None:
        self._engine, self._image, self._run, self._waived = engine, image, run, waived
        self._burst = burst

    async def quick(self) -> list[Protection]:
        """What one container shows, and the limits that the engine says it cannot hold."""
        info = self._engine.info()
        lacking = [name for flag, name in _ENGINE_FLAGS.items() if info.get(flag) is False]
        missing = [self._told(name, False, "the engine says that its kernel lacks it") for name in lacking]
        return [*await self._probed(), *missing]

    async def everything(self) -> list[Protection]:
        """Every protection, each tried."""
        limits = [
            await each()
            for each in (self._memory, self._processes, self._processor, self._time, self._output)
        ]
        pinned = self._told("image-by-digest", self._image.pinned, f"{self._image.digest}")
        probed = await self._probed()
        if self._burst is not None:
            nested = await self._probed(self._burst)
            probed = [there if each.holds else each for each, there in zip(probed, nested, strict=True)]
        return [*probed, *limits, pinned]

    def _told(self, name: str, holds: bool, detail: str) -> Protection:
        required = name not in self._waived and name not in ADVISED
        return Protection(name, holds, required, " ".join(detail.split())[:200])

    async def _probed(self, run: Runs | None = None) -> list[Protection]:
        code = (files("toolcrib_sandbox.guest") / "probe.py").read_text("utf-8")
        with _listening(self._engine.is_local) as places:
            given = {"host.json": json.dumps(places).encode()}
            result = await (run or self._run)(RunRequest(code, inputs=given, limits=_LIMITS))
        try:
            found: dict[str, Any] = json.loads(result.stdout)
            told = {name: (found[name][0] is True, str(found[name][1])) for name in PROBED}
        except (ValueError, KeyError, IndexError, TypeError):
            why = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise SandboxError(
                f"the self test did not come to its end: {why:.200}",
                rule="a sandbox is tried before it is used",
                remedy="See `toolcrib sandbox check`",
            ) from None
        told["host-secrets"] = self._environment(*told["host-secrets"])
        return [self._told(name, *found_of) for name, found_of in told.items()]

    def _environment(self, holds: bool, detail: str) -> tuple[bool, str]:
        names = set(detail.partition("environment: ")[2].split())
        surplus = sorted(names - set(ENVIRONMENT) - set(self._image.environment) - {"HOSTNAME", "LC_CTYPE"})
        return holds and not surplus, f"from elsewhere: {', '.join(surplus)}" if surplus else detail

    async def _memory(self) -> Protection:
        result = await self._try("x = bytearray(1 << 30)\nfor i in range(0, 1 << 30, 4096): x[i] = 1")
        return self._told("memory", result.out_of_memory and result.exit_code is None, _ended(result))

    async def _processes(self) -> Protection:
        result = await self._try(_FORKS)
        count = int(result.stdout.strip() or 999)
        return self._told("processes", count < _LIMITS.processes, f"{count} more could be started")

    async def _processor(self) -> Protection:
        result = await self._run(RunRequest(_SPINS, limits=replace(_LIMITS, cpus=0.5)))
        used = float(result.stdout.strip() or 99)
        return self._told("processor", used <= 0.85, f"{used:.2f} s used in 1 s, of half a processor")

    async def _time(self) -> Protection:
        result = await self._run(RunRequest(_STAYS, limits=replace(_LIMITS, wall=0.5)))
        return self._told("time", result.timed_out, _ended(result))

    async def _output(self) -> Protection:
        result = await self._try("import sys\nfor i in range(160): sys.stdout.write('x' * 65536)")
        holds = len(result.stdout) <= _LIMITS.output and result.truncated and result.output_bytes == 160 << 16
        return self._told("output", holds, f"{len(result.stdout)} of {result.output_bytes} bytes came back")

    async def _try(self, code: str) -> RunResult:
        return await self._run(RunRequest(code, limits=_LIMITS))


@contextlib.contextmanager
def _listening(engine_is_here: bool) -> Iterator[list[tuple[int, str]]]:
    """A port of this host's loopback and an abstract socket, for a sandbox to look for."""
    if not engine_is_here:
        yield []
        return
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        try:
            abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
            abstract.bind("")  # the kernel chooses a name, five hexadecimal digits
            abstract.listen()
        except (AttributeError, OSError):  # no Linux, so no engine in this host's own namespaces
            yield []
            return
        yield [(port.getsockname()[1], abstract.getsockname()[1:].decode())]


def _ended(result: RunResult) -> str:
    if result.timed_out:
        return "ended when its time was over"
    if result.out_of_memory:
        return "ended when its memory was full"
    return f"ended with exit code {result.exit_code}"


def refuse_missing(found: Sequence[Protection]) -> None:
    """Raises `SandboxError` if a required protection does not hold."""
    missing = [each for each in found if each.required and not each.holds]
    if missing:
        raise SandboxError(
            f"this engine does not hold {', '.join(each.name for each in missing)}: {missing[0].detail}",
            rule="code runs only where every required protection holds",
            remedy="See `toolcrib sandbox check`; mend it, or name it in [sandbox] waive if you accept that",
        )
