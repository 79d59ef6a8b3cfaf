"""Run a pack's conformance suite in processes of its own, so that a pack that hangs, crashes or exits is told
like any other failure, and the checks that are left are still made.

What comes back is what the pack's process says: it tells its writer what to mend, and proves nothing about a
pack that wants to deceive. That is what the lock is for.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from toolcrib.errors import PackError, ToolcribError
from toolcrib.packs import _apart
from toolcrib.packs._project import Project
from toolcrib.packs._settings import parse
from toolcrib.testing._pack_outcome import REMEDIES, Outcome

if TYPE_CHECKING:
    from toolcrib.testing.conformance import PackConformance

__all__ = ["SECONDS", "check_apart", "main"]

SECONDS = 120.0
"""Seconds that one check may take."""
LOSSES = 3
"""After so many processes that did not come back, the checks that are left are not made."""
_LINE_BYTES = 4 * 1024 * 1024
_TURN = 0.1  # seconds between looks at a process whose pipe may be held open by what it started


def check_apart(
    pack: str,
    *,
    backend: str = "",
    settings: Mapping[str, Any] | None = None,
    checks: Sequence[str] = (),
    project: Project | None = None,
    seconds: float = SECONDS,
    told: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Every check (or `checks`) of an installed pack; `told` hears of each as it ends.

    `backend` chooses among the suites that the pack ships, `settings` come on top of the suite's own,
    `project` is checked as it stands instead of what is installed, `seconds` are for one check. Raises
    `PackError` for a pack that is not there, or that does not get to its first check.
    """
    waiting = [name for name in REMEDIES if not checks or name in checks]
    outcomes: list[Outcome] = []
    request = {"name": pack, "backend": backend, "settings": dict(settings or {})}
    for _ in range(LOSSES):
        for outcome in _session(request | {"checks": waiting[len(outcomes) :]}, project, seconds):
            outcomes.append(outcome)
            told(outcome)
        if len(outcomes) == len(waiting):
            return outcomes
    for name in waiting[len(outcomes) :]:
        outcomes.append(Outcome(name, "failed", (f"was not made: the pack took {LOSSES} processes with it",)))
        told(outcomes[-1])
    return outcomes


def _session(request: Mapping[str, Any], project: Project | None, seconds: float) -> Iterator[Outcome]:
    """The outcomes of one process, in order; if it is lost, the last is of the check that it was lost in."""
    pack, checks = request["name"], list(request["checks"])
    reader, writer = os.pipe()
    with (
        TemporaryDirectory(prefix="toolcrib-check-", ignore_cleanup_errors=True) as folder,
        TemporaryFile() as given,
        TemporaryFile() as errors,
        os.fdopen(reader, "rb", 0) as pipe,
    ):
        first = project.stand_in(Path(folder, ".project")) if project else []
        asked = {**request, "report": writer, "path": [*first, *_apart.search_path()]}
        process = _apart.start(__name__, asked, folder, given, subprocess.DEVNULL, errors, (writer,))
        os.close(writer)
        try:
            yield from _heard(pack, checks, _messages(pipe, process, seconds), errors)
        finally:
            _apart.end(process)


def _heard(
    pack: str, checks: list[str], messages: Iterator[Mapping[str, Any] | str], errors: IO[bytes]
) -> Iterator[Outcome]:
    begun = False
    for message in messages:
        lost = message if isinstance(message, str) else ""
        if isinstance(message, Mapping):
            _apart.raise_problem(message)
        if not lost and message == {"begin": checks[0]}:
            begun = True
        elif not lost and begun and message.get("check") == checks[0]:  # type: ignore[union-attr]
            yield _outcome(message)
            checks.pop(0)
            begun = False
            if not checks:
                return
        else:
            said = f"{lost or 'gave no proper report'}: {_apart.tail(errors)}"
            if not begun:
                raise PackError(
                    f"pack {pack!r} {said}",
                    rule="a pack is checked in a process of its own, which must get to its first check",
                    remedy="Import the pack and its conformance module in Python to see what they do",
                )
            yield Outcome(checks[0], "failed", (f"{pack} {said}",))
            return


def _outcome(message: Any) -> Outcome:
    try:
        return parse(Outcome, message, "[report]")
    except ToolcribError:  # only a pack that meddles with its own report gets here
        return Outcome(str(message["check"]), "failed", ("the pack gave no proper report",))


def _messages(
    pipe: IO[bytes], process: subprocess.Popen[bytes], seconds: float
) -> Iterator[Mapping[str, Any] | str]:
    """What the process says, and in the end, as text, how it was lost. Each message has `seconds` to come."""
    rest, until = b"", time.monotonic() + seconds
    while True:
        ended = process.poll() is not None
        readable = select.select([pipe], [], [], 0 if ended else _TURN)[0]
        data = os.read(pipe.fileno(), 65536) if readable else b""
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield _message(line)
            until = time.monotonic() + seconds
        if not data and ended:
            yield f"ended its process with exit code {process.returncode}"
        elif len(rest) > _LINE_BYTES:
            yield "reported without end"
        elif time.monotonic() > until:
            yield f"did not end within {seconds:g} s"
        elif readable and not data:  # it closed its end: all that is left to wait for is the process
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))


def _message(line: bytes) -> Mapping[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    return message if isinstance(message, dict) else {}


# --- in the other process --------------------------------------------------------------------------------


def main(request: Mapping[str, Any]) -> None:
    """Make checks, and say of each that it begins and what came of it, one JSON object a line."""
    from toolcrib.testing._pack_ready import ready
    from toolcrib.testing.conformance import suite_of

    _apart.bound_files()
    os.set_inheritable(request["report"], False)
    say, owner = os.fdopen(request["report"], "w", encoding="utf-8"), os.getpid()

    def tell(message: Mapping[str, Any]) -> None:
        if os.getpid() != owner:  # a copy that the pack forked, and that goes on here
            os._exit(0)
        print(json.dumps(message), file=say, flush=True)

    try:
        suite = suite_of(request["name"], request["backend"])
        suite.settings = {**suite.settings, **request["settings"]}
        with ready(suite):
            _make(suite, request["checks"], tell)
    except PackError as error:
        tell(_apart.as_problem(error))


def _make(suite: PackConformance, checks: Sequence[str], tell: Callable[[Mapping[str, Any]], None]) -> None:
    from toolcrib.testing._pack_report import run_check

    for name in checks:
        tell({"begin": name})
        try:
            outcome = asyncio.run(run_check(suite, name))
        except BaseException as error:  # the suite is the pack's own code, and may raise anything
            outcome = Outcome(
                name, "failed", (f"its suite fails: {type(error).__name__}: {str(error)[:400]}",)
            )
        tell(asdict(outcome))
