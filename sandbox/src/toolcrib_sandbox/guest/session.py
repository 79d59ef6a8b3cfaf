"""A sandbox that remembers: variables live in a child process, files in the box."""

from __future__ import annotations

import os
import socket
import struct
import time

from toolcrib_sandbox.guest.become import become_python, enter, execute, flush
from toolcrib_sandbox.guest.files import put_inputs, search
from toolcrib_sandbox.guest.relay import start_relay
from toolcrib_sandbox.guest.runs import Run
from toolcrib_sandbox.guest.watching import Capture, drain, kill, told, watch

__all__ = ["Session"]

ANEW = "The session began anew: variables of earlier runs are lost, files are still there"


class Session:
    """Takes one run after the other. A run that is ended from outside takes the variables with it."""

    def __init__(self) -> None:
        self.pid = 0
        self.relay = 0
        self.runs = 0
        self.control: socket.socket | None = None
        self.captures: tuple[Capture, Capture] | None = None

    def run(self, run: Run) -> None:
        """Run Python in the child that remembers, shell in a process of its own."""
        try:
            put_inputs(run.request["names"], run.inputs)
            run.before = search()
        except OSError as error:
            return run.refuse(f"the inputs cannot be written: {error.strerror}\n")
        if run.request["relay"] and not self.relay:
            self.relay = start_relay(run.request["relay"], run.channel)
        if run.request["language"] == "shell":
            return self._shell(run)
        return self._python(run)

    def _shell(self, run: Run) -> None:
        captures = run.captures()
        pid = run.fork(*captures)
        status, timed_out = watch(pid, captures, run.request["wall"], run.channel.into)
        survivors = kill(self._ours())
        drain(captures)
        run.reply(told(status, timed_out), survivors, run.collect(), *captures)
        for capture in captures:
            capture.close()

    def _python(self, run: Run) -> None:
        if not self.pid:
            self._start(run)
        assert self.captures is not None and self.control is not None
        for capture in self.captures:
            capture.begin()
        self.runs += 1
        start = run.start = time.monotonic()
        try:
            self.control.settimeout(run.request["wall"])
            self.control.sendall(struct.pack(">I", len(run.code)) + run.code)
        except OSError:
            pass  # it died or does not listen, which is seen next
        wall = max(0.0, run.request["wall"] - (time.monotonic() - start))
        status, timed_out = watch(self.pid, self.captures, wall, run.channel.into, self.control.fileno())
        said = self._said() if status is None else None
        if status is None and said is None:  # it let go of the control socket: it has ended, or will be
            left = max(0.0, run.request["wall"] - (time.monotonic() - start))
            status, timed_out = watch(self.pid, self.captures, left, run.channel.into)
        ending = told(status, timed_out)
        if status is None:
            ending["exit"] = said
            survivors = kill(self._ours())
        else:
            self.pid = 0
            survivors = kill(self._ours())
        drain(self.captures)
        captures = self.captures
        if not self.pid:
            self._forget(run, timed_out)
        run.reply(ending, survivors, run.collect(), *captures)

    def _ours(self) -> set[int]:
        return {pid for pid in (self.pid, self.relay) if pid}

    def _start(self, run: Run) -> None:
        self.captures = captures = run.captures()
        if self.runs:
            run.notes.append(ANEW)
        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if not self.pid:
            try:
                enter(captures[0].writer, captures[1].writer, keep=theirs.fileno())
                _serve(theirs)
            finally:
                os._exit(125)
        for capture in captures:
            os.close(capture.writer)
        theirs.close()
        self.control = ours

    def _said(self) -> int | None:
        """The exit code that the child tells; it may lie, about itself."""
        assert self.control is not None
        try:
            return self.control.recv(1)[0]
        except (OSError, IndexError):
            return None

    def _forget(self, run: Run, timed_out: bool) -> None:
        assert self.captures is not None and self.control is not None
        if timed_out:
            run.notes.append("The run took too long and was killed; the session's variables are lost with it")
        else:
            run.notes.append("The session's process has ended; its variables are lost")
        for capture in self.captures:
            capture.close()
        self.control.close()
        self.captures = self.control = None


def _serve(control: socket.socket) -> None:
    namespace = become_python()
    while head := control.recv(4, socket.MSG_WAITALL):
        (size,) = struct.unpack(">I", head)
        code = control.recv(size, socket.MSG_WAITALL) if size else b""
        status = execute(code, namespace, show=True)
        flush()
        control.sendall(bytes([status]))
