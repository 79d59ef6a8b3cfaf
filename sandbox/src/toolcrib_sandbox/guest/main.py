"""Pid 1 of every sandbox: takes a request, has it run, tells what happened.

It is sent as source, so all of `guest` is plain standard library for any Python >= 3.9. The code that it runs
has the same uid, so everything rests on four things: pid 1 cannot be read or traced (not dumpable, and
seccomp), signals do not reach it (pid 1 of its namespace, which handles none), the channel's descriptors are
closed before foreign code starts, and the host believes nothing that it is told.
"""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Sequence

from toolcrib_sandbox.guest.become import facts, harden
from toolcrib_sandbox.guest.burst import run_burst
from toolcrib_sandbox.guest.channel import take_channel
from toolcrib_sandbox.guest.runs import Run, run_once
from toolcrib_sandbox.guest.session import Session

__all__ = ["main"]

COMMON = (
    "asyncio collections csv dataclasses datetime decimal functools io itertools math random re statistics"
)
"""Imported before the first request, so that no run pays for them."""


def main(preload: Sequence[str]) -> None:
    """Serve until the channel closes, or until the one run that this sandbox is for has been told."""
    harden()
    channel = take_channel()
    missing = []
    for name in (*COMMON.split(), *preload):
        try:
            importlib.import_module(name)
        except Exception:
            missing.append(name)
    gc.collect()
    gc.freeze()
    channel.send(b"H", {**facts(), "missing": missing})
    session = Session()
    while True:
        run = Run(channel, *channel.receive())
        if run.request["mode"] == "session":
            session.run(run)
        elif run.request["mode"] == "burst":
            run_burst(run)
        else:
            run_once(run)
            os._exit(0)
