"""A process forked before its run is known, so that no run waits for a fork and for what comes after it."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

from toolcrib_sandbox.guest.become import Program, enter, execute, finish, flush, run_shell
from toolcrib_sandbox.guest.relay import PROXY
from toolcrib_sandbox.guest.watching import Capture

__all__ = ["PYTHON", "SESSION", "SHELL", "Ahead"]

PYTHON, SHELL, SESSION = b"P", b"S", b"R"
"""What the process becomes: a program, a shell script, or a program that remembers."""
_HEAD = struct.Struct(">c?I")


class Ahead:
    """It waits for its code, which is nobody's yet: until `begin`, nothing foreign runs in it."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.captures = Capture(), Capture()
        self.control, self._theirs = socket.socketpair()
        self.pid = self._fork()
        for capture in self.captures:
            os.close(capture.writer)
        self._theirs.close()

    def _fork(self) -> int:
        pid = os.fork()
        if not pid:
            wait(self._theirs, self.captures, self._program)
        return pid

    def begin(self, kind: bytes, code: bytes, caps: tuple[int, int], relay: bool = False) -> None:
        """Have it run the code; of its output, so much is kept."""
        for capture, cap in zip(self.captures, caps, strict=False):
            capture.cap = cap
        with contextlib.suppress(OSError):  # it has ended, which is seen next
            self.control.sendall(_HEAD.pack(kind, relay, len(code)) + code)

    def close(self) -> None:
        """Close what is left of it here."""
        self.control.close()
        for capture in self.captures:
            capture.close()


def wait(control: socket.socket, captures: tuple[Capture, Capture], program: Program) -> None:
    """In the child: make ready, take the code, run it and end."""
    try:
        enter(captures[0].writer, captures[1].writer, keep=control.fileno())
        namespace = program.become()
        execute(b"", {}, show=False)  # what a first time costs is paid before anybody waits
        kind, relay, size = _HEAD.unpack(_exactly(control, _HEAD.size))
        code = _exactly(control, size)
        if relay:
            os.environ.update(PROXY)
        if kind == SESSION:
            _remember(control, code, namespace)
        control.close()
        if kind == SHELL:
            run_shell(code)
        finish(execute(code, namespace, show=False))
    finally:
        os._exit(125)


def _exactly(control: socket.socket, size: int) -> bytes:
    data = control.recv(size, socket.MSG_WAITALL) if size else b""
    if len(data) < size:
        os._exit(0)  # whoever forked it is gone
    return data


def _remember(control: socket.socket, code: bytes, namespace: dict[str, object]) -> None:
    while True:
        status = execute(code, namespace, show=True)
        flush()
        control.sendall(bytes([status]))
        code = _exactly(control, _HEAD.unpack(_exactly(control, _HEAD.size))[2])
