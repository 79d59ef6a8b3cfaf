"""Ticket triage as its users run it: the `toolcrib` command, on the sample desk and on a real Roundup."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

from toolcrib.testing.counterparts import missing
from toolcrib_itsm.testing import RoundupTracker

TOOLCRIB = Path(sys.executable).with_name("toolcrib")
PATIENCE = 60
"""Seconds; only a hang comes near."""


def environment() -> dict[str, str]:
    """The environment of a newcomer: nothing of ours, and no proxy."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "TERM": "xterm-256color"}


@dataclass(frozen=True)
class Desk:
    """A folder to type commands in, and a project in it."""

    here: Path
    programs: Path

    @property
    def project(self) -> Path:
        return self.here / "desk"

    def toolcrib(self, *words: Any, given: str = "") -> subprocess.CompletedProcess[str]:
        """One command without a terminal."""
        return subprocess.run(
            [str(self.programs / "toolcrib"), *map(str, words)],
            cwd=self.here, env=environment(), input=given, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip

    def triage(self, *words: Any) -> subprocess.CompletedProcess[str]:
        """The job in this desk's project."""
        return self.toolcrib("run", "ticket-triage", "--dir", "desk", *words)

    def admin(self, *words: Any, given: str = "") -> subprocess.CompletedProcess[str]:
        """A command about the project."""
        return self.toolcrib("-c", "desk/toolcrib.toml", *words, given=given)

    def make(self) -> None:
        """The project, as the job makes it, without a run."""
        from toolcrib_workflows._project import open_project

        open_project(self.project, job="ticket-triage", fresh="")

    def records(self, **fields: Any) -> list[dict[str, Any]]:
        """The audit log's records with these fields, which must verify."""
        from toolcrib.audit import read, verify

        folder = self.project / ".toolcrib" / "audit"
        assert verify(folder).problem is None
        found = [r for r in read(folder) if "preview_of" not in r]
        return [r for r in found if all(r.get(name) == value for name, value in fields.items())]

    def ask(self, agent: str, tool: str, arguments: dict[str, Any]) -> Any:
        """What a tool says now."""
        from toolcrib import Crib

        with Crib.from_config(self.project / "toolcrib.toml") as crib:
            result = crib.call_sync(f"itsm.{tool}", arguments, crib.principal(agent, "alice"))
        assert result.status == "done", result.text
        return result.value

    def ticket(self, ticket_id: str) -> dict[str, Any]:
        """A ticket as it stands."""
        return dict(self.ask("dispatcher", "get_ticket", {"ticket_id": ticket_id}))

    def journal(self, ticket_id: str) -> list[dict[str, Any]]:
        """What was said on it, the latest first."""
        return list(self.ask("librarian", "list_journal", {"ticket_id": ticket_id})["records"])

    def pending(self) -> str:
        """The id of the one pending approval."""
        (approval,) = json.loads(self.admin("approvals", "list", "--json").stdout)
        return str(approval["id"])


@pytest.fixture
def desk(tmp_path: Path, programs: Path) -> Desk:
    return Desk(tmp_path, programs)


@pytest.fixture
def at_terminal(desk: Desk) -> Iterator[pexpect.spawn]:
    """The job with a person at a terminal."""
    command = ["run", "ticket-triage", "--dir", "desk"]
    person = pexpect.spawn(
        str(TOOLCRIB), command, cwd=str(desk.here), env=environment(), encoding="utf-8", timeout=PATIENCE
    )
    yield person
    person.close(force=True)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> tuple[Desk, str]:
    """A run to its end, and what it printed; only for looking at."""
    made = Desk(tmp_path_factory.mktemp("finished"), programs)
    return made, made.triage().stdout


@pytest.fixture(params=["agentchat", "classic"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _need_roundup() -> None:
    """Say loudly that there is no Roundup; fail where TOOLCRIB_STRICT=1."""
    if importlib.util.find_spec("roundup") is None:
        missing("NOT TRIED ON ROUNDUP: the package roundup is not installed")


@pytest.fixture(scope="session")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoundupTracker]:
    _need_roundup()
    with RoundupTracker(tmp_path_factory.mktemp("roundup") / "tracker") as served:
        yield served


@pytest.fixture
def at_roundup(desk: Desk, tracker: RoundupTracker) -> Desk:
    """The same project with one line of its config changed, the tracker's address and a password."""
    desk.make()
    file = desk.project / "toolcrib.toml"
    text = file.read_text().replace('backend = "embedded"', 'backend = "roundup"', 1)
    file.write_text(text.replace("http://127.0.0.1:8080/", tracker.url))
    secret = json.dumps({"username": "alice", "password": tracker.password})
    done = desk.admin("secrets", "set", "itsm/acme/roundup", given=secret)
    assert done.returncode == 0, done.stderr
    return desk
