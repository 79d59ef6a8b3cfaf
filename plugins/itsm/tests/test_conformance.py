"""Holds the pack to what every pack is held to, over the embedded desk and the fake ServiceNow."""

import json

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
