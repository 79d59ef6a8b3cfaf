"""Many runs of one tenant in one container, each in namespaces of its own.

The outer process makes them (user, pid, mount, network, ipc, uts), mounts an empty box, and forks the inner
one, which drops every capability, installs a second system-call filter over the container's own, and runs
the code as pid 1 of the new pid namespace: when it ends, the kernel ends all that it started. The outer one
is out of its reach and collects the files. Where a host forbids this, the host falls back to single use.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import struct
import time
from typing import Any

from toolcrib_sandbox.guest.become import (
    BOX,
    LIBC,
    SET_DUMPABLE,
    become_python,
    enter,
    execute,
    finish,
    run_shell,
)
from toolcrib_sandbox.guest.files import Files
from toolcrib_sandbox.guest.runs import Run
from toolcrib_sandbox.guest.watching import Capture, drain, kill, told, watch

__all__ = ["run_burst"]

NAMESPACES = 0x10000000 | 0x20000000 | 0x00020000 | 0x08000000 | 0x04000000 | 0x40000000
NESTING = 0x7E020000
"""Every CLONE_NEW flag that fits into `clone`."""
SET_SECCOMP, CAPBSET_DROP, AMBIENT = 22, 24, 47
NOSUID_NODEV_NOEXEC = 2 | 4 | 8
MACHINES = {
    "x86_64": (0xC000003E, 56, {"unshare": 272, "mount": 165, "umount2": 166, "capset": 126}),
    "aarch64": (0xC00000B7, 220, {"unshare": 97, "mount": 40, "umount2": 39, "capset": 91}),
}
"""Audit architecture, `clone`, and what the container's filter permits only so that pid 1 can nest."""


def run_burst(run: Run) -> None:
    """Run the code, and end everything that it left."""
    out, err = captures = run.captures()
    kept = Capture(run.request["artifact_bytes"] + (1 << 20))
    trouble = Capture(1 << 10)
    run.start = time.monotonic()
    pid = os.fork()
    if not pid:
        _outer(run, out, err, kept, trouble)
    for capture in (out, err, kept, trouble):
        os.close(capture.writer)
    status, timed_out = watch(pid, (out, err, kept, trouble), run.request["wall"], run.channel.into)
    kill()
    drain((out, err, kept, trouble))
    for capture in (out, err, kept, trouble):
        capture.close()
    if trouble.head:
        return run.refuse(trouble.head.decode("utf-8", "replace"))
    ending = told(status, timed_out)
    if ending["exit"] is not None and ending["exit"] > 128:
        ending = {**ending, "exit": None, "signal": ending["exit"] - 128}
    return run.reply(ending, 0, _unpack(bytes(kept.head)), *captures)


def _outer(run: Run, out: Capture, err: Capture, kept: Capture, trouble: Capture) -> None:
    try:
        try:
            _nest(run.request["mounts"])
            why = run.put()
        except OSError as error:
            why = f"nesting: {error.strerror}"
        if why:
            os.write(trouble.writer, why.encode())
            os._exit(125)
        LIBC.prctl(SET_DUMPABLE, 0, 0, 0, 0)
        pid = os.fork()
        if not pid:
            _inner(run, out, err)
        os.close(out.writer)
        os.close(err.writer)
        status = os.waitpid(pid, 0)[1]
        _pack(kept.writer, run.collect())
        os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
    finally:
        os._exit(125)


def _inner(run: Run, out: Capture, err: Capture) -> None:
    try:
        enter(out.writer, err.writer)
        with contextlib.suppress(
            OSError
        ):  # masked paths forbid it in most containers; then /proc is the outer one
            _mount(b"proc", b"/proc", b"proc", b"")
        _lock()
        if run.request["language"] == "shell":
            run_shell(run.code)
        finish(execute(run.code, become_python(), show=False))
    finally:
        os._exit(125)


def _nest(mounts: dict[str, str]) -> None:
    uid, gid = os.getuid(), os.getgid()
    LIBC.prctl(SET_DUMPABLE, 1, 0, 0, 0)  # or its maps could not be written; no foreign code runs yet
    _check(LIBC.unshare(NAMESPACES), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
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
        if LIBC.prctl(CAPBSET_DROP, capability, 0, 0, 0):
            break
    LIBC.prctl(AMBIENT, 4, 0, 0, 0)
    _, _, calls = MACHINES[platform.machine()]
    header, none = (
        ctypes.create_string_buffer(struct.pack("II", 0x20080522, 0)),
        ctypes.create_string_buffer(24),
    )
    _check(LIBC.syscall(calls["capset"], header, none), "capset")
    program = _filter(platform.machine())
    text = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    whole = Program(len(program) // 8, ctypes.addressof(text))
    _check(LIBC.prctl(SET_SECCOMP, 2, ctypes.byref(whole), 0, 0), "seccomp")


def _filter(machine: str) -> bytes:
    """BPF: refuse another architecture, the nesting calls, and `clone` with new namespaces."""
    audit, clone, calls = MACHINES[machine]
    load, same, bits, answer = 0x20, 0x15, 0x45, 0x06
    refuse = (answer, 0, 0, 0x00050001)
    lines = [(load, 0, 0, 4), (same, 1, 0, audit), (answer, 0, 0, 0x80000000), (load, 0, 0, 0)]
    for number in calls.values():
        lines += [(same, 0, 1, number), refuse]
    lines += [(same, 0, 3, clone), (load, 0, 0, 16), (bits, 0, 1, NESTING), refuse]
    lines.append((answer, 0, 0, 0x7FFF0000))
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _pack(writer: int, files: Files) -> None:
    head = json.dumps([files.names, [len(data) for data in files.contents], files.notes]).encode()
    for data in (struct.pack(">I", len(head)), head, *files.contents):
        view = memoryview(data)
        while view:
            view = view[os.write(writer, view) :]


def _unpack(data: bytes) -> Files:
    if len(data) < 4:
        return Files()
    (size,) = struct.unpack(">I", data[:4])
    parts: Any = json.loads(data[4 : 4 + size])
    names, sizes, notes = parts
    contents, at = [], 4 + size
    for length in sizes:
        contents.append(data[at : at + length])
        at += length
    return Files(names, contents, notes)
