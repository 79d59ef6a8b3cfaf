"""Many runs of one tenant in one container, each in namespaces of its own.

They are made ahead (user, pid, mount, network, ipc, uts), by one `clone`. What is pid 1 in there mounts an
empty box and hands its descriptor to the outer pid 1, drops every capability, installs a second system-call
filter over the container's own, forks the process that waits for the code, and waits for its end: when pid 1
of a pid namespace ends, the kernel ends all that is left in it. The outer pid 1 is out of reach of all
that; it writes the inputs and collects the files through the descriptor. Where a host forbids this, the host
falls back to single use.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import socket
import struct
from collections.abc import Mapping
from functools import cache
from typing import Any

from toolcrib_sandbox.guest.ahead import Ahead
from toolcrib_sandbox.guest.become import BOX, LIBC, SET_DUMPABLE, Program, write
from toolcrib_sandbox.guest.channel import Channel
from toolcrib_sandbox.guest.runs import Run
from toolcrib_sandbox.guest.watching import drain, others, told, watch

__all__ = ["instructions", "serve_bursts"]

NAMESPACES = 0x10000000 | 0x20000000 | 0x00020000 | 0x08000000 | 0x04000000 | 0x40000000
NESTING = 0x7E020000
"""Every CLONE_NEW flag that fits into `clone`."""
SET_SECCOMP, CAPBSET_DROP, AMBIENT = 22, 24, 47
NOSUID_NODEV_NOEXEC = 2 | 4 | 8
MACHINES = {
    "x86_64": (0xC000003E, {"clone": 56, "mount": 165, "capset": 126}),
    "aarch64": (0xC00000B7, {"clone": 220, "mount": 40, "capset": 91}),
}
"""Audit architecture, and what the container's filter permits only so that pid 1 can nest."""
_ENDING = struct.Struct(">iI")
_CALL = ctypes.PyDLL(None, use_errno=True).syscall
"""Holds the interpreter's lock, so that the child of a `clone` has it too."""
_PRCTL = ctypes.PyDLL(None).prctl


def serve_bursts(
    channel: Channel, hello: Mapping[str, Any], mounts: Mapping[str, str], program: Program
) -> None:
    """Take one run after the other; while nobody waits, the namespaces of the next are made."""
    nest = Nest(channel, mounts, program)
    nest.settle()
    channel.send(b"H", dict(hello))
    while True:
        _run(Run(channel, *channel.receive()), nest)
        nest.close()
        nest = Nest(channel, mounts, program)


def _run(run: Run, nest: Nest) -> None:
    """Run the code, and end everything that it left."""
    nest.settle()
    if why := nest.trouble or run.put(nest.box, fresh=True):
        nest.give_up()
        return run.refuse(why)
    run.begin(nest)
    status, timed_out = watch(nest.pid, nest.captures, run.request["wall"], run.channel.into)
    drain(nest.captures)
    said = nest.said() if status == 0 else None
    status, survivors = said or (status, 0)
    return run.reply(told(status, timed_out), survivors, nest.captures)


class Nest(Ahead):
    """Namespaces of their own, and in them, beneath a pid 1 of ours, a process that waits for its code.

    That pid 1 speaks over the same socket: first it hands over the box, last it tells how the code ended. In
    between the process that waits closes its end, before anything foreign runs in it.
    """

    def __init__(self, channel: Channel, mounts: Mapping[str, str], program: Program) -> None:
        self._channel, self._mounts = channel, mounts
        self._ids = os.getuid(), os.getgid()  # in there nobody has one before it is mapped
        self.box, self.trouble = -1, ""
        super().__init__(program)

    def _fork(self) -> int:
        if platform.machine() not in MACHINES:
            self.trouble = f"nesting: no system-call filter is written for {platform.machine()}"
            return 0
        if (
            len(os.listdir("/proc/self/task")) > 1
        ):  # `clone` tells no library that its threads will be missing
            self.trouble = "nesting: a module that is preloaded has started threads"
            return 0
        _filter()  # before, so that it is made once
        number = MACHINES[platform.machine()][1]["clone"]
        pid = int(_CALL(number, NAMESPACES | signal.SIGCHLD, 0, 0, 0, 0))
        if pid < 0:
            self.trouble = f"nesting: clone: {os.strerror(ctypes.get_errno())}"
            return 0
        if not pid:
            self._begin()
        return pid

    def _begin(self) -> None:
        """In the new pid 1."""
        try:
            os.close(self._channel.into)
            os.close(self._channel.out)
            try:
                _nest(self._mounts, *self._ids)
                box = os.open(BOX, os.O_RDONLY | os.O_DIRECTORY)
                _lock()
            except OSError as error:
                self._theirs.sendall(f"nesting: {error.strerror}".encode())
                os._exit(0)
            pid = super()._fork()
            socket.send_fds(self._theirs, [b"+"], [box])
            os.close(box)  # or it would be there after its end
            self._theirs.sendall(_ENDING.pack(*_wait(pid)))
        finally:
            os._exit(0)

    def settle(self) -> None:
        """Wait until it is ready, or has told why it never will be."""
        if self.box >= 0 or self.trouble:
            return
        said, descriptors, _, _ = socket.recv_fds(self.control, 1 << 10, 1)
        if descriptors:
            self.box = descriptors[0]
        else:
            self.trouble = said.decode("utf-8", "replace") or "nesting: it ended as it began"

    def said(self) -> tuple[int, int] | None:
        """The code's wait status and how many outlived it, as the inner pid 1 saw it."""
        with contextlib.suppress(OSError):
            data = self.control.recv(_ENDING.size, socket.MSG_DONTWAIT)
            if len(data) == _ENDING.size:
                status, survivors = _ENDING.unpack(data)
                return status, survivors
        return None

    def give_up(self) -> None:
        """End it, unused."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def close(self) -> None:
        """Close what is left of it here."""
        super().close()
        if self.box >= 0:
            os.close(self.box)


def _wait(pid: int) -> tuple[int, int]:
    """Collect who dies, until the code does; how it ended, and how many are there yet."""
    while True:
        one, status = os.waitpid(-1, 0)
        if one == pid:
            break
    try:
        os.kill(-1, 0)
    except ProcessLookupError:
        return status, 0
    return status, len(others({int(os.readlink("/proc/self"))}))


def _nest(mounts: Mapping[str, str], uid: int, gid: int) -> None:
    LIBC.prctl(SET_DUMPABLE, 1, 0, 0, 0)  # or its maps could not be written; no foreign code runs yet
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        try:
            write(f"/proc/self/{name}", text.encode())
        except OSError as error:
            raise OSError(error.errno, f"{name}: {error.strerror}") from None
    LIBC.prctl(SET_DUMPABLE, 0, 0, 0, 0)
    for path, options in mounts.items():
        _mount(b"tmpfs", path.encode(), b"tmpfs", options.encode())
    os.chdir(BOX)


def _mount(source: bytes, target: bytes, kind: bytes, options: bytes) -> None:
    _check(LIBC.mount(source, target, kind, NOSUID_NODEV_NOEXEC, options), f"mount {target.decode()}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _lock() -> None:
    """Drop every capability of the new user namespace, and what the first filter let through for nesting."""
    for capability in range(64):
        if _PRCTL(CAPBSET_DROP, capability):
            break
    LIBC.prctl(AMBIENT, 4, 0, 0, 0)
    header, none = struct.pack("II", 0x20080522, 0), bytes(24)
    _check(LIBC.syscall(MACHINES[platform.machine()][1]["capset"], header, none), "capset")
    _check(LIBC.prctl(SET_SECCOMP, 2, ctypes.byref(_filter()), 0, 0), "seccomp")


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


@cache
def _filter() -> _Program:
    text = instructions(platform.machine())
    return _Program(len(text) // 8, text)


def instructions(machine: str) -> bytes:
    """BPF: refuse another architecture, `mount` and `capset`, and `clone` with new namespaces."""
    audit, calls = MACHINES[machine]
    load, same, bits, answer = 0x20, 0x15, 0x45, 0x06
    refuse = (answer, 0, 0, 0x00050001)
    lines = [(load, 0, 0, 4), (same, 1, 0, audit), (answer, 0, 0, 0x80000000), (load, 0, 0, 0)]
    for name in ("mount", "capset"):
        lines += [(same, 0, 1, calls[name]), refuse]
    lines += [(same, 0, 3, calls["clone"]), (load, 0, 0, 16), (bits, 0, 1, NESTING), refuse]
    lines.append((answer, 0, 0, 0x7FFF0000))
    return b"".join(struct.pack("HBBI", *line) for line in lines)
