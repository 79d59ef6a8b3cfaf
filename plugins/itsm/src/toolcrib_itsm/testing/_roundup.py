"""A real Roundup tracker for tests, made from the template `classic` and served on loopback."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Self

from toolcrib_itsm.testing._tracker_data import PARTNER, PASSWORD
from toolcrib_itsm.tracker import extend

__all__ = ["RoundupTracker"]


class RoundupTracker:
    """A tracker in `folder`, served inside a `with` block; needs the package `roundup`.

    People of the sample desk are its users (`alice`, `dana`, ... of the desk, `user11` and others, all with
    `password`). With `extended` it is what `toolcrib_itsm.tracker` makes of the template, and a role for
    another tenant's desk (`gita`), else the template as it is. `mails` is what Roundup would have sent.
    """

    password = PASSWORD

    def __init__(self, folder: Path, *, extended: bool = True) -> None:
        self.folder = folder
        self._extended = extended
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        if not (self.folder / "db").exists() or not any((self.folder / "db").iterdir()):
            self._make()
        program = [sys.executable, "-m", "toolcrib_itsm.testing._tracker_server", str(self.folder)]
        with (self.folder / "server.log").open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own program)
                program, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            self.__exit__()
            raise RuntimeError(f"Roundup did not start: {(self.folder / 'server.log').read_text()[-800:]}")
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    @property
    def mails(self) -> str:
        """All mail that Roundup would have sent so far."""
        file = self.folder / "mails.txt"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def rows(self) -> list[str]:
        """What the tracker holds, comparable: without what logins and clocks change."""
        with closing(sqlite3.connect(f"file:{self.folder}/db/db?mode=ro", uri=True)) as db:
            return [line for line in db.iterdump() if line.startswith("INSERT") and "otks" not in line]

    def _make(self) -> None:
        admin = shutil.which("roundup-admin", path=str(Path(sys.executable).parent)) or "roundup-admin"
        given = "mail_domain=acme.example,mail_host=127.0.0.1,tracker_web=http://127.0.0.1:1/"
        self._run(admin, "-i", str(self.folder), "install", "classic", "sqlite", given)
        if self._extended:
            extend(self.folder)
            with (self.folder / "schema.py").open("a", encoding="utf-8") as schema:
                schema.write(PARTNER)
        self._configure()
        self._run(admin, "-i", str(self.folder), "initialise", PASSWORD)
        options = [] if self._extended else ["classic"]
        self._run(sys.executable, "-m", "toolcrib_itsm.testing._tracker_data", str(self.folder), *options)

    def _configure(self) -> None:
        """Mail goes to a file, and a password is hashed cheaply: every request has one to be checked."""
        config = self.folder / "config.ini"
        text = config.read_text("utf-8")
        for name, value in (
            ("debug = $", f"debug = {self.folder / 'mails.txt'}"),
            ("password_pbkdf2_default_rounds = .*$", "password_pbkdf2_default_rounds = 1000"),
        ):
            text = re.sub(f"(?m)^{name}", value, text, count=1)
        config.write_text(text, "utf-8")

    def _run(self, *command: str) -> None:
        done = subprocess.run(  # noqa: S603 (our own arguments)
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr[-500:] or done.stdout[-500:]}")
