"""Pid 1 of every sandbox: takes a request, has it run, tells what happened.

It is sent as source, so all of `guest` is plain standard library for any Python >= 3.9. The code that it runs
has the same uid, so everything rests on four things: pid 1 cannot be read or traced (not dumpable, and
seccomp), signals do not reach it (pid 1 of its namespace, which handles none), the channel's descriptors are
closed before foreign code starts, and the host believes nothing that it is told.

Whatever can be done before a request is there is done before: modules are imported, the process that will run
the code is forked, and the whole way of a run is gone once with no code at all.
"""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from toolcrib_sandbox.guest.ahead import Ahead
from toolcrib_sandbox.guest.become import Program, facts, harden
from toolcrib_sandbox.guest.burst import serve_bursts
from toolcrib_sandbox.guest.channel import Channel, take_channel
from toolcrib_sandbox.guest.runs import Run, open_box, run_once
from toolcrib_sandbox.guest.session import Session

__all__ = ["main"]

COMMON = "collections csv dataclasses datetime decimal functools io itertools math random re statistics"
"""Imported before the first request, so that no run pays for them."""


def main(preload: Sequence[str], mounts: Mapping[str, str]) -> None:
    """Serve until the channel closes, or until the one run that this sandbox is for has been told. With
    `mounts`, each run has them anew, in namespaces of its own.
    """
    harden()
    channel = take_channel()
    missing = []
    for name in (*COMMON.split(), *preload):
        try:
            importlib.import_module(name)
        except Exception:
            missing.append(name)
    program = Program()
    gc.collect()
    gc.freeze()
    hello = {**facts(), "missing": missing}
    if mounts:
        return serve_bursts(channel, hello, mounts, program)
    box = open_box()
    _rehearse(channel, box, program)
    ahead = Ahead(program)
    channel.send(b"H", hello)
    run = Run(channel, *channel.receive())
    if run.request["mode"] != "session":
        run_once(run, ahead, box)
        os._exit(0)
    session = Session(ahead, box, program)
    while True:
        session.run(run)
        run = Run(channel, *channel.receive())


def _rehearse(channel: Channel, box: int, program: Program) -> None:
    """Go the whole way of a run, to nobody."""
    nobody = Channel(channel.into, os.open(os.devnull, os.O_WRONLY))
    request: dict[str, Any] = {"language": "python", "wall": 5.0, "stdout": 64, "stderr": 64, "relay": ""}
    request |= {"names": [], "artifacts": 1, "artifact_bytes": 64}
    ahead = Ahead(program)
    run_once(Run(nobody, request, [b"print(1)"]), ahead, box)
    ahead.close()
    os.close(nobody.out)
