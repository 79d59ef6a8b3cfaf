"""One run in a process that nobody used before, and the result that is told of it."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from toolcrib_sandbox.guest.ahead import PYTHON, SHELL, Ahead
from toolcrib_sandbox.guest.become import BOX
from toolcrib_sandbox.guest.channel import Channel
from toolcrib_sandbox.guest.files import Files, Found, collect, put_inputs, search
from toolcrib_sandbox.guest.relay import start_relay
from toolcrib_sandbox.guest.watching import Capture, drain, kill, oom_kills, told, watch

__all__ = ["Run", "open_box", "run_once"]


class Run:
    """One request on its way to a result; its files are below `box`."""

    def __init__(self, channel: Channel, request: dict[str, Any], payload: list[bytes]) -> None:
        self.channel, self.request = channel, request
        self.code, self.inputs = payload[0], payload[1:]
        self.caps = request["stdout"], request["stderr"]
        self.notes: list[str] = []
        self.before: Found = {}
        self.box = -1
        self.kills, self.start = oom_kills(), time.monotonic()

    def put(self, box: int, *, fresh: bool) -> str:
        """Write the inputs into the box, which is empty if `fresh`; "", or why they cannot be written."""
        self.box = box
        try:
            put_inputs(self.box, self.request["names"], self.inputs)
            if self.inputs or not fresh:
                self.before = search(self.box)
            return ""
        except OSError as error:
            return f"the inputs cannot be written: {error.strerror}\n"

    def begin(self, ahead: Ahead) -> None:
        """Have it run the code; the clock starts."""
        kind = SHELL if self.request["language"] == "shell" else PYTHON
        self.start = time.monotonic()
        ahead.begin(kind, self.code, self.caps, bool(self.request["relay"]))

    def collect(self) -> Files:
        """What the run left."""
        return collect(self.box, self.before, self.request["artifacts"], self.request["artifact_bytes"])

    def reply(self, ending: dict[str, Any], survivors: int, captures: tuple[Capture, Capture]) -> None:
        """Collect the files, and tell the host."""
        seconds, files, kills = time.monotonic() - self.start, self.collect(), oom_kills()
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
            "seconds": seconds,
        }
        self.channel.send(b"R", message, bytes(out.head), bytes(err.head), *files.contents)

    def refuse(self, why: str) -> None:
        """Tell the host that the code was not run."""
        message = {"refused": why, "names": [], "sizes": []}
        self.channel.send(b"R", message)


def open_box() -> int:
    """The folder that code runs in, opened before any does, so that it can neither be locked nor replaced."""
    return os.open(BOX, os.O_RDONLY | os.O_DIRECTORY)


def run_once(run: Run, ahead: Ahead, box: int) -> None:
    """Run the code, and end every process that it left."""
    if why := run.put(box, fresh=True):
        return run.refuse(why)
    helpers = {start_relay(run.request["relay"], run.channel)} if run.request["relay"] else set()
    run.begin(ahead)
    status, timed_out = watch(ahead.pid, ahead.captures, run.request["wall"], run.channel.into)
    survivors = kill(spared=helpers)
    if helpers:
        kill()
    drain(ahead.captures)
    return run.reply(told(status, timed_out), survivors, ahead.captures)
