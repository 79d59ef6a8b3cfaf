"""Holds the pack to what every pack is held to, over a real Roundup."""

import json

import pytest

from toolcrib.testing.relay import Relay
from toolcrib_itsm import ITSM, ITSMSettings
from toolcrib_itsm.conformance import Conformance, Desk
from toolcrib_itsm.roundup import RoundupBackend


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
        settings = ITSMSettings(**self.settings)
        return [ITSM(RoundupBackend(settings), settings)]

    def state(self, folder):
        return self.rows_of(self.tracker)
