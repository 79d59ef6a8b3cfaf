"""Look at a pack before it is trusted: import it in another process, which has no secrets to give away.

The process gets an environment of four harmless variables, an empty folder for home and temporary files, and
the pack's settings without its secrets. It runs as the same user, though: what that user can read, the pack
can read. And the report is what the pack says of itself; the lock then holds it to that, tool by tool.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from toolcrib.errors import ConfigError, PackError
from toolcrib.hookspecs import PackConfig
from toolcrib.packs._changes import locked_tool
from toolcrib.packs._discover import Found, check_name, discover
from toolcrib.packs._files import Files, read_files
from toolcrib.packs._guard import guard
from toolcrib.packs._lock import LockedPack
from toolcrib.packs._open import open_pack
from toolcrib.packs._settings import parse

if TYPE_CHECKING:
    from toolcrib.config import Config

__all__ = ["inspect_pack", "main"]

TIMEOUT = 60.0
"""Seconds that a pack may take to be imported and to list its tools."""
_REPORT_BYTES = 16 * 1024 * 1024
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
# -I: neither PYTHON* variables nor the current folder count; the parent's sys.path comes with the request, so
# that the same packs are found. -B: looking leaves no cached files behind.
_BOOT = (
    "import json, sys; request = json.load(sys.stdin); sys.path[:] = request['path']; "
    "from toolcrib.packs._inspect import main; main(request)"
)


def inspect_pack(found: Found, config: Config, *, timeout: float = TIMEOUT) -> tuple[LockedPack, Files]:
    """The pack as it would be locked (sequence 0), and its files; raises `PackError` for a broken pack.

    `timeout` is in seconds. The files are hashed before and after: a pack that changes itself is refused.
    """
    check_name(found.name)
    if found.editable:
        raise PackError(
            f"{found.distribution} is installed editable, so its files cannot be locked",
            rule="a locked pack's files are the ones that were installed",
            remedy=f'For development write trust = "installed" under [packs.{found.name}]',
        )
    files = read_files(found)
    report = _run(found, _request(found, config), timeout)
    problem = report.get("problem")
    if isinstance(problem, dict):
        raise PackError(**{fact: str(problem.get(fact, "")) for fact in ("what", "rule", "remedy")})
    if read_files(found).hash != files.hash:
        raise PackError(f"pack {found.name!r} changed its own files while it was looked at")
    return _locked(found, files, report), files


def _request(found: Found, config: Config) -> str:
    settings = config.packs.get(found.name)
    request = {
        "path": [str(Path(entry).absolute()) for entry in sys.path],
        "name": found.name,
        "distribution": found.distribution,
        "settings": dict(settings.settings) if settings else {},
        "tenant": config.tenant,
    }
    return json.dumps(request, default=str)


def _locked(found: Found, files: Files, report: Mapping[str, Any]) -> LockedPack:
    facts = {
        "distribution": found.distribution,
        "version": found.version,
        "module": found.module,
        "sequence": 0,
        "files": files.hash,
        "hooks": report.get("hooks"),
        "tools": report.get("tools"),
    }
    try:
        return parse(LockedPack, facts, f"report of {found.name}")
    except ConfigError as error:  # only a pack that meddles with the inspection gets here
        raise _failed(found, f"gave no proper report: {error.what}") from error


def _run(found: Found, request: str, timeout: float) -> dict[str, Any]:
    # Files and not pipes: what a pack prints must neither block it nor fill our memory.
    with TemporaryDirectory(prefix="toolcrib-inspect-") as folder, TemporaryFile() as given:
        given.write(request.encode())
        given.seek(0)
        with TemporaryFile() as output, TemporaryFile() as errors:
            process = subprocess.Popen(  # noqa: S603 (our own program; that it imports a pack is the point)
                [sys.executable, "-I", "-B", "-c", _BOOT],
                stdin=given, stdout=output, stderr=errors, cwd=folder, env=_environment(folder),
                start_new_session=True,
            )  # fmt: skip
            _wait(found, process, timeout)
            report = _read(output)
            if report is None:
                said = " ".join(_tail(errors).split()) or "it said nothing"
                raise _failed(found, f"ended the inspection with exit code {process.returncode}: {said}")
            return report


def _environment(folder: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "HOME": folder, "TMPDIR": folder}


def _wait(found: Found, process: subprocess.Popen[bytes], timeout: float) -> None:
    """Wait for the end; a process that is not done in time goes with all that it started."""
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise _failed(found, f"did not answer within {timeout:g} s") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _read(output: IO[bytes]) -> dict[str, Any] | None:
    output.seek(0)
    try:
        report = json.loads(output.read(_REPORT_BYTES))
    except ValueError:
        return None
    return report if isinstance(report, dict) else None


def _tail(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 600))
    return errors.read().decode("utf-8", "replace")


def _failed(found: Found, why: str) -> PackError:
    return PackError(
        f"pack {found.name!r} {why}",
        rule="a pack is looked at in a process of its own before it is locked",
        remedy=f"Mend or update {found.distribution} {found.version}",
    )


# --- in the other process --------------------------------------------------------------------------------


def main(request: Mapping[str, Any]) -> None:
    """Open one pack as the crib would, and print what it gives as one JSON object."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the pack prints is no part of the report
    try:
        answer = _look(request)
    except PackError as error:
        answer = {"problem": {"what": error.what, "rule": error.rule, "remedy": error.remedy}}
    with report:
        json.dump(answer, report)


def _look(request: Mapping[str, Any]) -> dict[str, Any]:
    name = request["name"]
    found = next(found for found in discover()[name] if found.distribution == request["distribution"])
    guard(read_files(found))
    given = open_pack(found, PackConfig(name, request["settings"], Path.cwd(), request["tenant"]))
    tools = {tool.name: asdict(locked_tool(tool)) for tool in given.tools}
    return {"hooks": given.hooks, "tools": tools}
