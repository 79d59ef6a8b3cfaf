"""Holds the pack to what every pack is held to, over every backend."""

import json

import pytest

from toolcrib.testing.relay import Relay
from toolcrib_itsm import ITSM, ITSMSettings
from toolcrib_itsm.conformance import Conformance, Desk
from toolcrib_itsm.sample import DEMO
from toolcrib_itsm.servicenow import ServiceNowBackend
from toolcrib_itsm.testing import FakeServiceNow, sys_id

ACCOUNT = {"username": "alice.sn", "password": "planted-password"}


class TestEmbedded(Conformance):
    """Every check of the kit; `errors` and `secrets` have nothing to try where there is no vendor."""


class TestServiceNow(Conformance):
    """Every check of the kit, against the strict fake that pysnc passes too."""

    secrets = {"servicenow": json.dumps(ACCOUNT)}  # noqa: RUF012
    settings = {"backend": "servicenow", "instance": "acme"}  # noqa: RUF012
    desk = Desk(*map(sys_id, (DEMO.unknown_ticket, DEMO.known_ticket, DEMO.technician, DEMO.change)))

    def world(self):
        service = FakeServiceNow()
        service.instance.load_sample()
        service.add_account(*ACCOUNT.values(), sys_id("USR0000001"))
        return service

    def toolkits(self, config):
        settings = config.parse(ITSMSettings)
        return [ITSM(ServiceNowBackend(settings, transport=self.vendor.transport()), settings)]

    def state(self, folder):
        return self.vendor.instance.snapshot()


class TestRoundup(Conformance):
    """Every check of the kit, against a real Roundup behind a relay that can fail."""

    lacks = {  # noqa: RUF012
        "create_change": "Roundup has no changes",
        "decide_change_approval": "Roundup has no changes",
        "submit_catalog_request": "Roundup has no catalog",
    }

    @pytest.fixture(autouse=True)
    def _at(self, tracker, requester, rows_of):
        self.tracker, self.requester, self.rows_of = tracker, requester, rows_of
        self.secrets = {"roundup": json.dumps({"username": "alice", "password": tracker.password})}

    def world(self):
        self.desk = Desk(self.requester.opens("a", "x"), self.requester.opens("b", "x"), "3", "1")
        return Relay(self.tracker.url)

    def toolkits(self, config):
        self.settings = {"backend": "roundup", "url": self.vendor.url, "tracker": "extended"}
        from toolcrib_itsm.roundup import RoundupBackend

        settings = ITSMSettings(**self.settings)
        return [ITSM(RoundupBackend(settings), settings)]

    def state(self, folder):
        return self.rows_of(self.tracker)
