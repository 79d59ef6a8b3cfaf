"""Runs on the disk: where each stands, so that another process can go on with it.

A run is written before each call and whenever it stops. So a process may be killed at any moment: what was
under way is asked for again under its own call id, and the crib sees to it that nothing is done twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toolcrib.errors import ConfigError, StateError
from toolcrib_workflows._jobs import KINDS

__all__ = ["Api", "Run", "choose", "hold", "new_run", "unfinished"]

Api: TypeAlias = Literal["agentchat", "classic"]
VERSION = 2


@dataclass(slots=True)
class Run:
    """One run. `talk` is what the agents have said, as their framework keeps it; None before they began.

    `waiting` are the ids of approvals that stood open when it was written; `files` are what it left, relative
    to the project's folder.
    """

    id: str
    job: str
    api: Api
    subject: str
    user: str
    status: Literal["running", "waiting", "done"] = "running"
    waiting: tuple[str, ...] = ()
    talk: Any = None
    files: tuple[str, ...] = ()

    def save(self, folder: Path) -> None:
        """Write the run, whole or not at all; raises `StateError`."""
        # The order of keys is kept: a team's state tells the order of its agents by it.
        text = json.dumps({"version": VERSION, **asdict(self)}, ensure_ascii=False)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self.id}.")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(folder / f"{self.id}.json")
        except OSError as error:
            raise StateError(
                f"run {self.id} cannot be written: {error.strerror}",
                rule="a run is on the disk before its next call",
                remedy=f"Make room in {folder}",
            ) from error


def new_run(job: str, api: Api, subject: str, user: str) -> Run:
    """A run with an id of its own, which begins with the day."""
    day = time.strftime("%Y%m%d", time.gmtime())
    return Run(f"{day}-{uuid.uuid4().hex[:8]}", job, api, subject, user)


def choose(
    folder: Path, *, job: str, subject: str | None, api: Api | None, user: str | None, new: bool
) -> tuple[Run, bool]:
    """The latest unfinished run that fits what was asked for, and True; else a new one, and False."""
    wanted = {"subject": subject, "api": api, "user": user}
    named = {name: value for name, value in wanted.items() if value is not None}
    for run in reversed([] if new else unfinished(folder)):
        if KINDS[run.job].bundle == KINDS[job].bundle and all(
            getattr(run, name) == value for name, value in named.items()
        ):
            return run, True
    return new_run(job, api or "agentchat", subject or KINDS[job].default, user or "alice"), False


def unfinished(folder: Path) -> list[Run]:
    """The runs that have not come to their end, the latest written last; raises `StateError`."""
    files = sorted(folder.glob("[!.]*.json"), key=lambda file: file.stat().st_mtime_ns)
    return [run for run in map(_read, files) if run.status != "done"]


def _read(file: Path) -> Run:
    try:
        data = json.loads(file.read_text("utf-8"))
        if (version := data.pop("version")) == 1:
            data["subject"] = data.pop("company")
        elif version != VERSION:
            raise ValueError("another version")
        return Run(**{**data, "waiting": tuple(data["waiting"]), "files": tuple(data.get("files", ()))})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateError(
            f"{file} is no run that this version can read: {error}",
            rule="an unfinished run is gone on with, never silently forgotten",
            remedy="Restore the file, or remove it",
        ) from error


@contextmanager
def hold(folder: Path, run: str) -> Iterator[None]:
    """Keep the run to this process; raises `ConfigError` while another process is at it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / f"{run}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"run {run} is under way in another process",
                rule="one process works at a run",
                remedy="Wait for it, or begin another run with --new",
            ) from None
        yield
    finally:
        os.close(descriptor)
