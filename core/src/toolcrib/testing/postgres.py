"""A real PostgreSQL server on loopback, for as long as a test wants it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["MISSING", "Postgres", "available"]

MISSING = "PostgreSQL's server is not installed (Debian: apt-get install postgresql)"


def available() -> bool:
    """Whether the server's programs are installed."""
    return _programs() is not None


class Postgres:
    """One server on a free port of 127.0.0.1, with the database `postgres` and its superuser `crib`.

    Nobody needs a password. With `passwords` everybody but `crib` does.
    """

    def __init__(self, *, passwords: bool = False) -> None:
        self._passwords = passwords
        self._folder, self._who = Path(), _user()
        self.port = 0

    def __enter__(self) -> Self:
        # A folder of its own, since the test's are closed to other users.
        self._folder = Path(tempfile.mkdtemp(prefix="toolcrib-pg-"))
        if self._who:
            os.chown(self._folder, self._who["user"], self._who["group"])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        data = self._folder / "data"
        self._run(
            "initdb", "-D", str(data), "-U", "crib", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"
        )
        if self._passwords:
            rules = "host all crib 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
            (data / "pg_hba.conf").write_text(rules)
        options = f"-h 127.0.0.1 -p {self.port} -k {self._folder} -F -c max_connections=40"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(data), "-o", options, "-l", log, "-w", "start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *words: str) -> None:
        programs = _programs()
        assert programs is not None, MISSING
        command = [str(programs / program), *words]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder, **self._who)  # noqa: S603


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root; another user of this machine will do."""
    if os.getuid():
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise AssertionError("there is no unprivileged user")
