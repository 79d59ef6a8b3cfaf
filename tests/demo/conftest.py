"""The demo as its users run it: the `toolcrib` command in processes of its own."""

from __future__ import annotations

import email
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pexpect
import pytest

TOOLCRIB = Path(sys.executable).with_name("toolcrib")
PATIENCE = 60
"""Seconds; only a hang comes near."""


def environment(**more: str) -> dict[str, str]:
    """The environment of a newcomer: nothing of ours, and no proxy."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "TERM": "xterm-256color", **more}


@dataclass(frozen=True)
class Desk:
    """A folder to type commands in, and a project in it."""

    here: Path
    programs: Path
    name: str = "demo"

    @property
    def project(self) -> Path:
        return self.here / self.name

    def toolcrib(self, *words: Any, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """One command without a terminal."""
        return subprocess.run(
            [str(self.programs / "toolcrib"), *map(str, words)],
            cwd=self.here, env=environment(**(env or {})), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip

    def demo(self, *words: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        """The demo in this desk's project."""
        return self.toolcrib("demo", "--dir", self.name, *words, **options)

    def make(self) -> None:
        """The project, as a demo makes it, without a run."""
        from toolcrib_workflows._project import open_project

        open_project(self.project, job="demo", fresh="")

    def admin(self, *words: Any) -> subprocess.CompletedProcess[str]:
        """A command about the project."""
        return self.toolcrib("-c", f"{self.name}/toolcrib.toml", *words)

    def at_terminal(
        self, *words: Any, columns: int = 100, env: dict[str, str] | None = None, own: bool = False
    ) -> pexpect.spawn:
        """The demo with a person at a terminal; `own` makes it the one that controls the process."""
        program = TOOLCRIB if own else self.programs / "toolcrib"
        return pexpect.spawn(
            str(program), ["demo", "--dir", self.name, *map(str, words)], cwd=str(self.here),
            env=environment(**(env or {})), encoding="utf-8", timeout=PATIENCE, dimensions=(60, columns),
        )  # fmt: skip

    # --- what is left behind

    def records(self, **fields: Any) -> list[dict[str, Any]]:
        """The audit log's records with these fields, which must verify."""
        from toolcrib.audit import read, verify

        folder = self.project / ".toolcrib" / "audit"
        assert verify(folder).problem is None
        found = [r for r in read(folder) if "preview_of" not in r]
        return [r for r in found if all(r.get(name) == value for name, value in fields.items())]

    def mails(self) -> list[EmailMessage]:
        """What is in the outbox."""
        files = sorted((self.project / ".toolcrib/packs/mail/outbox").glob("*.eml"))
        return [email.message_from_bytes(file.read_bytes(), policy=default) for file in files]

    def activities(self, subject: str) -> list[dict[str, Any]]:
        """The CRM's activities with this subject."""
        from toolcrib import Crib

        query = f"SELECT id, kind, who_id, body FROM Activity WHERE subject = '{subject}'"
        with Crib.from_config(self.project / "toolcrib.toml") as crib:
            result = crib.call_sync("crm.run_query", {"query": query}, crib.principal("crm_query", "alice"))
        assert result.status == "done", result.text
        return list(result.value["rows"])

    def run_file(self) -> dict[str, Any]:
        """The only run's file."""
        (file,) = (self.project / ".toolcrib" / "runs").glob("*.json")
        return json.loads(file.read_text())

    def pending(self) -> str:
        """The id of the one pending approval."""
        (approval,) = json.loads(self.admin("approvals", "list", "--json").stdout)
        return str(approval["id"])


@pytest.fixture
def desk(tmp_path: Path, programs: Path) -> Desk:
    return Desk(tmp_path, programs)


@pytest.fixture(scope="session", params=["agentchat", "classic"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Any:
    """A demo that ran to its end without a terminal: desk and process. Only for looking at."""
    desk = Desk(tmp_path_factory.mktemp(request.param), programs)
    return desk, desk.demo("--api", request.param)


@pytest.fixture(params=["agentchat", "classic"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def killed(desk: Desk) -> Callable[..., Desk]:
    """Kills a demo with SIGKILL while a person is asked for the approval."""

    def kill(*words: str) -> Desk:
        person = desk.at_terminal(*words)
        person.expect(r"\[a\]pprove")
        person.kill(signal.SIGKILL)
        person.expect(pexpect.EOF)
        person.close()
        return desk

    return kill


KILLER = """
import os, signal, sys
from toolcrib_workflows._runs import Run
save, saves, where = Run.save, [0], sys.argv.pop(1)
def save_or_die(run, folder):
    saves[0] += 1
    if where in (run.status, str(saves[0])):
        os.kill(os.getpid(), signal.SIGKILL)
    save(run, folder)
Run.save = save_or_die
from toolcrib.cli import main
main()
"""


@pytest.fixture
def killed_at(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Desk]:
    """Kills a demo just before its n-th save, or before the save with this status."""

    program = tmp_path_factory.mktemp("killer") / "killer.py"
    program.write_text(KILLER)

    def kill(where: str, *words: str) -> Desk:
        done = subprocess.run(
            [desk.programs / "python", program, where, "demo", "--dir", desk.name, *words],
            cwd=desk.here, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
        return desk

    return kill


@pytest.fixture
def person(desk: Desk) -> Iterator[Callable[..., pexpect.spawn]]:
    """Starts demos at a terminal, and ends those that a test left open."""
    started: list[pexpect.spawn] = []

    def start(*words: str, **options: Any) -> pexpect.spawn:
        started.append(desk.at_terminal(*words, **options))
        return started[-1]

    yield start
    for each in started:
        each.close(force=True)


@pytest.fixture
def ended() -> Callable[[pexpect.spawn], tuple[int, str]]:
    """Waits for the end of a process at a terminal; its exit code and the rest of the output."""

    def wait(person: pexpect.spawn) -> tuple[int, str]:
        person.expect(pexpect.EOF)
        person.close()
        return person.exitstatus, person.before

    return wait
