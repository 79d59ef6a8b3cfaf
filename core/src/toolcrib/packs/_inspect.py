"""Look at a pack before it is trusted: import it in another process, which has no secrets to give away.

The process (`_apart`) gets the pack's settings without its secrets. The report is what the pack says of
itself; the lock then holds it to that, tool by tool.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from toolcrib.errors import ConfigError, PackError
from toolcrib.hookspecs import PackConfig
from toolcrib.packs import _apart
from toolcrib.packs._changes import locked_tool
from toolcrib.packs._discover import Found, check_name, discover
from toolcrib.packs._files import Files, read_files
from toolcrib.packs._guard import guard
from toolcrib.packs._lock import LockedPack
from toolcrib.packs._open import open_pack
from toolcrib.packs._overlap import refuse_overlap
from toolcrib.packs._settings import parse

if TYPE_CHECKING:
    from toolcrib.config import Config

__all__ = ["inspect_pack", "main"]

TIMEOUT = 60.0
"""Seconds that a pack may take to be imported and to list its tools."""
_REPORT_BYTES = 16 * 1024 * 1024


def inspect_pack(found: Found, config: Config, *, timeout: float = TIMEOUT) -> tuple[LockedPack, Files]:
    """The pack as it would be locked (sequence 0), and its files; raises `PackError` for a broken pack.

    `timeout` is in seconds. The files are hashed before and after: a pack that changes itself is refused.
    """
    check_name(found.name)
    if found.editable:
        raise PackError(
            f"{found.distribution} is installed editable (or brings a .pth file): its files cannot be locked",
            rule="a locked pack's files are the ones that were installed",
            remedy=f'For development write trust = "installed" under [packs.{found.name}]',
        )
    files = read_files(found)
    refuse_overlap(found, files)
    report = _run(found, _request(found, config), timeout)
    _apart.raise_problem(report)
    if read_files(found).hash != files.hash:
        raise PackError(f"pack {found.name!r} changed its own files while it was looked at")
    return _locked(found, files, report), files


def _request(found: Found, config: Config) -> dict[str, Any]:
    settings = config.packs.get(found.name)
    return {
        "name": found.name,
        "distribution": found.distribution,
        "settings": dict(settings.settings) if settings else {},
        "tenant": config.tenant,
    }


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


def _run(found: Found, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    with (
        TemporaryDirectory(prefix="toolcrib-inspect-", ignore_cleanup_errors=True) as folder,
        TemporaryFile() as given,
        TemporaryFile() as output,
        TemporaryFile() as errors,
    ):
        process = _apart.start(__name__, request, folder, given, output, errors)
        _wait(found, process, timeout)
        report = _read(output)
        if report is None:
            code = process.returncode
            raise _failed(found, f"ended the inspection with exit code {code}: {_apart.tail(errors)}")
        return report


def _wait(found: Found, process: subprocess.Popen[bytes], timeout: float) -> None:
    """Wait for the end; in time or not, a process goes with all that it started."""
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise _failed(found, f"did not answer within {timeout:g} s") from None
    finally:
        _apart.end(process)


def _read(output: IO[bytes]) -> dict[str, Any] | None:
    output.seek(0)
    try:
        report = json.loads(output.read(_REPORT_BYTES))
    except ValueError:
        return None
    return report if isinstance(report, dict) else None


def _failed(found: Found, why: str) -> PackError:
    return PackError(
        f"pack {found.name!r} {why}",
        rule="a pack is looked at in a process of its own before it is locked",
        remedy=f"Mend or update {found.distribution} {found.version}",
    )


# --- in the other process --------------------------------------------------------------------------------


def main(request: Mapping[str, Any]) -> None:
    """Open one pack as the crib would, and print what it gives as one JSON object."""
    _apart.bound_files()
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the pack prints is no part of the report
    try:
        answer = _look(request)
    except PackError as error:
        answer = _apart.as_problem(error)
    with report:
        json.dump(answer, report)


def _look(request: Mapping[str, Any]) -> dict[str, Any]:
    name = request["name"]
    found = next(found for found in discover()[name] if found.distribution == request["distribution"])
    guard(read_files(found))
    given = open_pack(found, PackConfig(name, request["settings"], Path.cwd(), request["tenant"]))
    tools = {tool.name: asdict(locked_tool(tool)) for tool in given.tools}
    return {"hooks": given.hooks, "tools": tools}
