"""A sandbox that remembers: variables live in a child process, files in the box."""

from __future__ import annotations

import time
from typing import Any

from toolcrib_sandbox.guest.ahead import SESSION, Ahead
from toolcrib_sandbox.guest.become import Program
from toolcrib_sandbox.guest.relay import start_relay
from toolcrib_sandbox.guest.runs import Run
from toolcrib_sandbox.guest.watching import drain, kill, told, watch

__all__ = ["Session"]

ANEW = "The session began anew: variables of earlier runs are lost, files are still there"


class Session:
    """Takes one run after the other. A run that is ended from outside takes the variables with it."""

    def __init__(self, ahead: Ahead, box: int, program: Program) -> None:
        self.child: Ahead | None = ahead
        self.box, self.program = box, program
        self.relay = 0

    def run(self, run: Run) -> None:
        """Run Python in the child that remembers, shell in a process of its own."""
        if why := run.put(self.box, fresh=False):
            return run.refuse(why)
        if run.request["relay"] and not self.relay:
            self.relay = start_relay(run.request["relay"], run.channel)
        if run.request["language"] == "shell":
            return self._shell(run)
        return self._python(run)

    def _shell(self, run: Run) -> None:
        shell = Ahead(self.program)
        run.begin(shell)
        status, timed_out = watch(shell.pid, shell.captures, run.request["wall"], run.channel.into)
        survivors = kill(self._ours())
        drain(shell.captures)
        run.reply(told(status, timed_out), survivors, shell.captures)
        shell.close()

    def _python(self, run: Run) -> None:
        if self.child is None:
            self.child = Ahead(self.program)
            run.notes.append(ANEW)
        child = self.child
        for capture in child.captures:
            capture.begin()
        run.start = time.monotonic()
        child.control.settimeout(run.request["wall"])
        child.begin(SESSION, run.code, run.caps, bool(self.relay))
        ending = self._watch(child, run)
        survivors = kill(self._ours())
        drain(child.captures)
        run.reply(ending, survivors, child.captures)
        if not self._ours() & {child.pid}:
            child.close()

    def _watch(self, child: Ahead, run: Run) -> dict[str, Any]:
        """How the run ended; if the child did with it, it is forgotten."""

        def left() -> float:
            return max(0.0, float(run.request["wall"]) - (time.monotonic() - run.start))

        into, ready = run.channel.into, child.control.fileno()
        status, timed_out = watch(child.pid, child.captures, left(), into, ready)
        said = _said(child) if status is None else None
        if status is None and said is None:  # it let go of the control socket: it has ended, or will be
            status, timed_out = watch(child.pid, child.captures, left(), into)
        ending = told(status, timed_out)
        if status is None:
            return {**ending, "exit": said}
        self.child = None
        run.notes.append(
            "The run took too long and was killed; the session's variables are lost with it"
            if timed_out
            else "The session's process has ended; its variables are lost"
        )
        return ending

    def _ours(self) -> set[int]:
        return {pid for pid in (self.child.pid if self.child else 0, self.relay) if pid}


def _said(child: Ahead) -> int | None:
    """The exit code that the child tells; it may lie, about itself."""
    try:
        return child.control.recv(1)[0]
    except (OSError, IndexError):
        return None
