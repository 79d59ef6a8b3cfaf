"""One run in a process that nobody used before, and the result that is told of it."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from toolcrib_sandbox.guest.become import become_python, enter, execute, finish, run_shell
from toolcrib_sandbox.guest.channel import Channel
from toolcrib_sandbox.guest.files import Files, Found, collect, put_inputs, search
from toolcrib_sandbox.guest.relay import start_relay
from toolcrib_sandbox.guest.watching import Capture, drain, kill, oom_kills, others, told, watch

__all__ = ["Run", "run_once"]


class Run:
    """One request on its way to a result."""

    def __init__(self, channel: Channel, request: dict[str, Any], payload: list[bytes]) -> None:
        self.channel, self.request = channel, request
        self.code, self.inputs = payload[0], payload[1:]
        self.notes: list[str] = []
        self.before: Found = {}
        self.kills, self.start = oom_kills(), time.monotonic()

    def put(self) -> str:
        """Write the inputs; "", or why they cannot be written."""
        try:
            put_inputs(self.request["names"], self.inputs)
            self.before = search()
            return ""
        except OSError as error:
            return f"the inputs cannot be written: {error.strerror}\n"

    def fork(self, out: Capture, err: Capture) -> int:
        """The process that runs the code, and the writing ends closed here."""
        pid = os.fork()
        if not pid:
            try:
                enter(out.writer, err.writer)
                if self.request["language"] == "shell":
                    run_shell(self.code)
                finish(execute(self.code, become_python(), show=False))
            finally:
                os._exit(125)
        os.close(out.writer)
        os.close(err.writer)
        return pid

    def captures(self) -> tuple[Capture, Capture]:
        """For what the code writes to stdout and to stderr."""
        return Capture(self.request["stdout"]), Capture(self.request["stderr"])

    def collect(self) -> Files:
        """What the run left."""
        return collect(self.before, self.request["artifacts"], self.request["artifact_bytes"])

    def reply(self, ending: dict[str, Any], survivors: int, files: Files, *captures: Capture) -> None:
        """Tell the host."""
        kills = oom_kills()
        if ending["signal"] == signal.SIGKILL and kills < 0:
            self.notes.append("killed by SIGKILL; this engine does not tell whether memory had run out")
        out, err = captures
        message = {
            **ending,
            "oom": kills > self.kills,
            "written": out.total + err.total,
            "truncated": out.total > len(out.head) or err.total > len(err.head),
            "survivors": survivors,
            "names": files.names,
            "sizes": [len(data) for data in (out.head, err.head, *files.contents)],
            "notes": self.notes + files.notes,
            "seconds": time.monotonic() - self.start,
        }
        self.channel.send(b"R", message, bytes(out.head), bytes(err.head), *files.contents)

    def refuse(self, why: str) -> None:
        """Tell the host that the code was not run."""
        message = {"refused": why, "names": [], "sizes": []}
        self.channel.send(b"R", message)


def run_once(run: Run) -> None:
    """Run the code, and end every process that it left."""
    if why := run.put():
        return run.refuse(why)
    helpers = {start_relay(run.request["relay"], run.channel)} if run.request["relay"] else set()
    captures = run.captures()
    run.start = time.monotonic()
    status, timed_out = watch(run.fork(*captures), captures, run.request["wall"], run.channel.into)
    survivors = len(others(helpers))
    kill()
    drain(captures)
    return run.reply(told(status, timed_out), survivors, run.collect(), *captures)
