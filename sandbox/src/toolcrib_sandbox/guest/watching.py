"""Watching a process: what it writes, how it ends, what it leaves."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

__all__ = ["Capture", "drain", "kill", "oom_kills", "others", "told", "watch"]


class Capture:
    """The beginning of what comes out of a pipe, and how much it was in all."""

    def __init__(self, cap: int = 0) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.cap, self.head, self.total, self.open = cap, bytearray(), 0, True

    def take(self) -> bool:
        """Read once; whether there may be more."""
        try:
            data = os.read(self.reader, 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            self.open = False
            return False
        self.total += len(data)
        self.head += data[: max(0, self.cap - len(self.head))]
        return True

    def begin(self) -> None:
        """Forget what was read, for the next run over the same pipe."""
        self.head, self.total = bytearray(), 0

    def close(self) -> None:
        """Close the end that is read."""
        os.close(self.reader)


def drain(captures: Sequence[Capture]) -> None:
    """What is still in the pipes; at most a little more than a pipe holds, should somebody still write."""
    for capture in captures:
        for _ in range(64):
            if not capture.take():
                break


@cache
def _oom_file() -> int:
    """Where the kernel counts what it killed in this cgroup for want of memory; -1 if it does not tell."""
    for path in ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            if b"oom_kill " in os.pread(descriptor, 4096, 0):
                return descriptor
    return -1


def oom_kills() -> int:
    """How often the kernel killed in this cgroup for want of memory; -1 where it cannot be told."""
    with contextlib.suppress(OSError):
        for line in os.pread(_oom_file(), 4096, 0).splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
    return -1


def others(spared: Collection[int]) -> list[int]:
    """Live processes but for pid 1 and those of ours."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == 1 or int(name) in spared:
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            if file.read().rpartition(b") ")[2][:1] not in (b"Z", b"X"):
                found.append(int(name))
    return found


def kill(spared: Collection[int] = ()) -> int:
    """Kill every process but pid 1 and `spared`, wait until none is left; how many they were."""
    try:
        os.kill(-1, 0)
    except ProcessLookupError:
        return 0  # nobody is there, as after most runs
    survivors = len(left := others(spared))
    while not spared:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return survivors
    while left:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        left = others(spared)
    return survivors


def watch(
    pid: int, captures: Sequence[Capture], wall: float, channel: int, ready: int = -1
) -> tuple[int | None, bool]:
    """Until process `pid` ends, `ready` can be read, or `wall` seconds are over.

    Gives the wait status, None if the process goes on, and whether the time was over. If the host says
    anything meanwhile, or is gone, the run was given up: pid 1 ends, and with it everything.
    """
    poll = select.poll()
    ended = os.pidfd_open(pid)
    readers = {each.reader: each for each in captures if each.open}
    for descriptor in (channel, ended, ready, *readers):
        if descriptor >= 0:
            poll.register(descriptor, select.POLLIN)
    end = time.monotonic() + wall
    try:
        while True:
            left = end - time.monotonic()
            events = [descriptor for descriptor, _ in poll.poll(max(0, left) * 1000)]
            if channel in events:
                os._exit(0)
            for capture in (readers[each] for each in events if each in readers):
                if not capture.take() and not capture.open:
                    poll.unregister(capture.reader)
            if ended in events:
                return os.waitpid(pid, 0)[1], False
            if ready in events:
                return None, False
            if left <= 0:
                os.kill(pid, signal.SIGKILL)
                return os.waitpid(pid, 0)[1], True
    finally:
        os.close(ended)


def told(status: int | None, timed_out: bool) -> dict[str, Any]:
    """A wait status as the host reads it."""
    if status is None or timed_out:
        return {"exit": None, "signal": 0, "timed_out": timed_out}
    if os.WIFSIGNALED(status):
        return {"exit": None, "signal": os.WTERMSIG(status), "timed_out": False}
    return {"exit": os.WEXITSTATUS(status), "signal": 0, "timed_out": False}
