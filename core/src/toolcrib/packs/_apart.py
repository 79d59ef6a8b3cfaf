"""Run a pack's code in a process of its own, which has nothing to give away and takes nobody with it.

The process gets an environment of four harmless variables, and an empty folder for home and temporary files.
It runs as the same user, though: what that user can read, the pack can read. What it leaves in its process
group is ended with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from toolcrib.errors import PackError

__all__ = ["as_problem", "bound_files", "end", "raise_problem", "search_path", "start", "tail"]

FILE_BYTES = 256 * 1024 * 1024
"""The most that one file may hold which a pack writes apart, also the one that keeps what it prints."""
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
# -I: neither PYTHON* variables nor the current folder count; the parent's sys.path comes with the request, so
# that the same packs are found. -B: looking leaves no cached files behind.
_BOOT = (
    "import json, sys; request = json.load(sys.stdin); sys.path[:] = request['path']; "
    "from {module} import main; main(request)"
)


def search_path() -> list[str]:
    """Where modules are found here, as the other process needs it."""
    return [str(Path(entry).absolute()) for entry in sys.path]


def start(
    module: str, request: Mapping[str, Any], folder: str, given: IO[bytes], output: IO[bytes] | int,
    errors: IO[bytes], keep: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:  # fmt: skip
    """Call `main(request)` of our own `module` in a process that leads a group of its own, in `folder`.

    Its streams are files and not pipes: what a pack prints must neither block it nor fill our memory.
    """
    given.write(json.dumps({"path": search_path(), **request}, default=str).encode())
    given.seek(0)
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return subprocess.Popen(  # noqa: S603 (our own program; that it imports a pack is the point)
        [sys.executable, "-I", "-B", "-c", _BOOT.format(module=module)],
        stdin=given, stdout=output, stderr=errors, cwd=folder, env={**kept, "HOME": folder, "TMPDIR": folder},
        start_new_session=True, pass_fds=keep,
    )  # fmt: skip


def end(process: subprocess.Popen[bytes]) -> None:
    """End the process, and whatever it started and left behind in its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def bound_files() -> None:
    """In the other process: from now on no file grows beyond `FILE_BYTES`; writing more raises OSError."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, hard))


def as_problem(error: PackError) -> dict[str, Any]:
    """In the other process: what it reports instead of an answer."""
    return {"problem": {"what": error.what, "rule": error.rule, "remedy": error.remedy}}


def raise_problem(report: Mapping[str, Any]) -> None:
    """Raise what `as_problem` reported, if the report is one."""
    problem = report.get("problem")
    if isinstance(problem, dict):
        raise PackError(**{fact: str(problem.get(fact, "")) for fact in ("what", "rule", "remedy")})


def tail(errors: IO[bytes]) -> str:
    """The last words of a process, on one line."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 600))
    return " ".join(errors.read().decode("utf-8", "replace").split()) or "it said nothing"
