"""Several processes on one folder, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolcrib.audit import AuditLog, read, verify
from toolcrib.audit import _segments as segments_module
from toolcrib.audit import _store as store_module

BOTH = pytest.mark.parametrize("durability", ["fsync", "written"])

WRITER = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from toolcrib.audit import AuditLog
    folder, name, durability, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    log = AuditLog(folder, durability=durability, segment_bytes=20_000)
    print("ready", flush=True)
    sys.stdin.readline()
    async def caller(which):
        for n in range(count):
            await log.append({"kind": "intent", "call": f"{name}-{which}-{n}"})
            print(f"{name}-{which}-{n}", flush=True)
    async def main():
        await asyncio.gather(*map(caller, range(4)))
    asyncio.run(main())
    log.close()
    """
)


def start(folder: Path, name: str, durability: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), name, durability, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def calls(folder: Path) -> list[str]:
    return [record["call"] for record in read(folder) if "call" in record]


@pytest.mark.parametrize("kinds", [("fsync", "fsync"), ("written", "written"), ("fsync", "written", "fsync")])
def test_processes_share_one_chain(folder: Path, kinds: tuple[str, ...]):
    processes = [start(folder, f"p{n}", kind, 60) for n, kind in enumerate(kinds)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    wanted = [f"p{p}-{which}-{n}" for p in range(len(kinds)) for which in range(4) for n in range(60)]
    found = calls(folder)
    assert sorted(found) == sorted(wanted)
    for p in range(len(kinds)):
        for which in range(4):
            own = [call for call in found if call.startswith(f"p{p}-{which}-")]
            assert own == [f"p{p}-{which}-{n}" for n in range(60)]
    result = verify(folder)
    assert result.ok and result.segments > 3
    assert len({record["writer"] for record in read(folder)}) == len(kinds)


@BOTH
def test_a_killed_process_loses_nothing_that_was_confirmed(folder: Path, durability: str):
    process = start(folder, "p", durability, 100_000)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    confirmed = [process.stdout.readline().strip() for _ in range(300)]
    process.kill()
    confirmed += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.communicate(timeout=60)
    # With the same bound: a kill between making a segment and naming it is mended where the log rolls over.
    AuditLog(folder, segment_bytes=20_000).append_blocking({"kind": "intent", "call": "after"})
    found = calls(folder)
    assert set(confirmed) <= set(found) and found[-1] == "after"
    assert verify(folder).ok


# --- killed at every step ---------------------------------------------------------------------------------


class Killer:
    """Ends the process with SIGKILL right before, or in the middle of, its `at`th step on the file system."""

    def __init__(self, at: int) -> None:
        self.left = at

    def wrap(self, true: Callable[..., Any], *, halves: bool = False) -> Callable[..., Any]:
        def step(*arguments: Any, **more: Any) -> Any:
            self.left -= 1
            if not self.left:
                if halves:
                    true(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return true(*arguments, **more)

        return step

    def plant(self) -> None:
        """Into a forked child, which never returns to the test."""
        store_module.write = self.wrap(store_module.write, halves=True)
        store_module.fdatasync = self.wrap(store_module.fdatasync)
        store_module.flock = self.wrap(store_module.flock)
        for module, name in (
            (os, "open"),
            (os, "truncate"),
            (os, "ftruncate"),
            (os, "fsync"),
            (os, "rename"),
        ):
            setattr(module, name, self.wrap(getattr(module, name)))


def write_and_die(folder: Path, durability: str, at: int) -> tuple[bool, list[str]]:
    """Whether a child was killed at step `at` of writing and rolling, and the calls it had confirmed."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        log = AuditLog(folder, durability=durability, segment_bytes=900)
        Killer(at).plant()
        for n in range(6):
            log.append_blocking({"kind": "intent", "call": f"{at}-{n}"})
            os.write(writer, f"{at}-{n}\n".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        confirmed = file.read().split()
    return os.WIFSIGNALED(os.waitpid(child, 0)[1]), confirmed


@BOTH
def test_killed_at_every_step(folder: Path, durability: str):
    """One log that is killed at its first step, continued, killed at its second, and so on to the end."""
    wanted: set[str] = set()
    at, killed = 0, True
    while killed:
        at += 1
        killed, confirmed = write_and_die(folder, durability, at)
        wanted |= set(confirmed)
        if folder.exists() and any(folder.glob("*.jsonl")):
            before = verify(folder).problem
            assert before is None or before.what in ("torn", "extra file"), before
    found = calls(folder)
    assert wanted <= set(found) and len(found) == len(set(found))
    assert verify(folder).ok
    assert at > 30
    assert any(record.get("event") == "torn line set aside" for record in read(folder))
    assert not segments_module.strays(folder)
