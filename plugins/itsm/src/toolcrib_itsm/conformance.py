"""The pack's own suites, one for each backend: `toolcrib.testing.conformance` with good calls on the sample
desk.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from toolcrib import Toolkit
from toolcrib.hookspecs import PackConfig
from toolcrib.testing.conformance import PackConformance
from toolcrib_itsm.sample import DEMO
from toolcrib_itsm.settings import ITSMSettings
from toolcrib_itsm.toolkit import ITSM

if TYPE_CHECKING:
    from toolcrib_itsm.testing import FakeServiceNow, RoundupRelay, RoundupTracker

__all__ = ["Conformance", "Desk", "Roundup", "ServiceNow"]


@dataclass(frozen=True, slots=True)
class Desk:
    """The records that the good calls are about, by the ids of a backend: two open incidents, one of which is
    resolved; somebody of the desk; a change that waits for an answer.
    """

    open: str = DEMO.unknown_ticket
    solved: str = DEMO.known_ticket
    technician: str = DEMO.technician
    change: str = DEMO.change


class Conformance(PackConformance):
    """Over the embedded desk, which is made anew for each check."""

    pack = "itsm"
    desk = Desk()

    def calls(self) -> Mapping[str, Mapping[str, Any]]:
        """One good call of each tool."""
        ticket = {"ticket_id": self.desk.open}
        return {
            "search_tickets": {},
            "get_ticket": ticket,
            "list_journal": ticket,
            "search_knowledge": {"text": "desk"},
            "get_ci": {"ci": "label-printer-001"},
            "find_user": {"text": "a"},
            "create_incident": {"title": "Printer is jammed", "description": "It makes a noise."},
            "update_incident": {**ticket, "changes": {"category": "network"}},
            "assign": {**ticket, "assignee_id": self.desk.technician},
            "add_work_note": {**ticket, "text": "Looked at it."},
            "create_change": {"title": "Replace the printer", "description": "It is old."},
            "resolve": {
                "ticket_id": self.desk.solved,
                "code": "solution",
                "notes": "Done as the article says.",
            },
            "add_public_comment": {**ticket, "text": "We look into it."},
            "submit_catalog_request": {"item": "Second screen"},
            "decide_change_approval": {
                "change_id": self.desk.change,
                "decision": "approve",
                "reason": "Planned.",
            },
        }


_ACCOUNT = {"username": "alice.sn", "password": "planted-password"}


class ServiceNow(Conformance):
    """Over a strict fake instance on loopback, which the public client pysnc passes too."""

    secrets: Mapping[str, str] = {"servicenow": json.dumps(_ACCOUNT)}
    settings: Mapping[str, Any] = {"backend": "servicenow", "instance": "acme"}
    needs: Mapping[str, str] = dict.fromkeys(("httpx", "pysnc"), 'pip install "toolcrib-itsm[servicenow]"')
    fake: FakeServiceNow

    @contextmanager
    def world(self) -> Iterator[FakeServiceNow]:
        """An instance with one account and the sample desk."""
        from toolcrib_itsm.testing import FakeServiceNow, sys_id

        ids = (DEMO.unknown_ticket, DEMO.known_ticket, DEMO.technician, DEMO.change)
        self.desk = Desk(*map(sys_id, ids))
        with FakeServiceNow() as self.fake:
            self.fake.instance.load_sample()
            self.fake.add_account(_ACCOUNT["username"], _ACCOUNT["password"], sys_id("USR0000001"))
            yield self.fake

    def toolkits(self, config: PackConfig) -> list[Toolkit]:
        """The pack's, with a way to the fake in place of the one to service-now.com."""
        from toolcrib_itsm.servicenow import ServiceNowBackend

        settings = config.parse(ITSMSettings)
        return [ITSM(ServiceNowBackend(settings, transport=self.fake.transport()), settings)]

    def state(self, folder: Path) -> Any:
        """The instance's records."""
        return self.fake.instance.snapshot()


class Roundup(Conformance):
    """Over a real Roundup of its own, behind a relay that can fail."""

    settings: Mapping[str, Any] = {"backend": "roundup", "tracker": "extended"}
    needs: Mapping[str, str] = {
        "httpx": 'pip install "toolcrib-itsm[roundup]"',
        "roundup": 'pip install "roundup>=2.6,<3"',
    }
    lacks: Mapping[str, str] = {
        "create_change": "Roundup has no changes",
        "decide_change_approval": "Roundup has no changes",
        "submit_catalog_request": "Roundup has no catalog",
    }
    prepared: RoundupTracker

    @contextmanager
    def prepare(self) -> Iterator[RoundupTracker]:
        """A tracker for all checks; each opens issues of its own."""
        from toolcrib_itsm.testing import RoundupTracker

        with (
            TemporaryDirectory(prefix="toolcrib-roundup-") as folder,
            RoundupTracker(Path(folder, "tracker")) as tracker,
        ):
            yield tracker

    @contextmanager
    def world(self) -> Iterator[RoundupRelay]:
        """Two new issues, and the relay."""
        from toolcrib_itsm.testing import RoundupRelay, TrackerUser

        tracker = self.prepared
        self.secrets = {"roundup": json.dumps({"username": "alice", "password": tracker.password})}
        with TrackerUser(tracker, "user11") as requester:
            self.desk = Desk(requester.opens("a", "x"), requester.opens("b", "x"), "3", "1")
        with RoundupRelay(tracker.url) as relay:
            self.settings = {**self.settings, "url": relay.url}
            yield relay

    def state(self, folder: Path) -> Any:
        """What the tracker holds."""
        return self.prepared.rows()
