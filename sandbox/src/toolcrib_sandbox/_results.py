"""A checked reply in the words of core's protocol."""

from __future__ import annotations

from toolcrib.errors import SandboxError
from toolcrib.sandbox import Durations, RunResult
from toolcrib_sandbox._engine import Image
from toolcrib_sandbox._wire import Reply

__all__ = ["result_of"]

_SIGKILL = 9


def result_of(reply: Reply, image: Image, durations: Durations) -> RunResult:
    """The result that a caller gets. Code that died by a signal of its own making has the exit code that a
    shell would give, 128 + signal; a run that was ended from outside has none.
    """
    if reply.refused:
        raise SandboxError(
            f"the code was not run: {reply.refused}",
            rule="a run starts with all of its inputs in place",
            remedy="Give less, or ask for more disk",
        )
    notes = list(reply.notes)
    exit_code = reply.exit_code
    if reply.signal == _SIGKILL and reply.out_of_memory:
        notes.append("The code was ended because its memory was full")
    elif reply.signal and not reply.timed_out:
        exit_code = 128 + reply.signal
    if reply.survivors:
        notes.append(f"{reply.survivors} processes were still there when the code had ended, and were killed")
    return RunResult(
        stdout=reply.stdout.decode("utf-8", "replace"),
        stderr=reply.stderr.decode("utf-8", "replace"),
        exit_code=exit_code,
        timed_out=reply.timed_out,
        out_of_memory=reply.out_of_memory,
        output_bytes=reply.written,
        truncated=reply.truncated,
        artifacts=reply.artifacts,
        survivors=reply.survivors,
        image=image.digest,
        durations=durations,
        notes=tuple(notes),
    )
