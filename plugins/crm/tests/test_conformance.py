"""Holds the pack to what every pack is held to, over both backends."""

import json
from dataclasses import asdict

from toolcrib_crm import CRM, CRMSettings, sample
from toolcrib_crm.conformance import Conformance
from toolcrib_crm.salesforce import SalesforceBackend
from toolcrib_crm.sample import DEMO
from toolcrib_crm.testing import EXTERNAL_ID, FakeSalesforce

USER = {"username": "alice@acme.example", "password": "planted-password", "security_token": "planted-token"}


def some_records():
    """The records of the good calls and a few more: the fake looks through all for each query."""
    wanted = set(asdict(DEMO).values())
    every = sample.records()
    return {
        kind: [row for at, row in enumerate(rows) if at < 30 or wanted & set(map(str, row.values()))]
        for kind, rows in every.items()
    }


class TestEmbedded(Conformance):
    """Every check of the kit; `errors` and `secrets` have nothing to try where there is no vendor."""


class TestSalesforce(Conformance):
    """Every check of the kit, against the strict fake that simple-salesforce passes too."""

    secrets = {"salesforce": json.dumps(USER)}  # noqa: RUF012
    settings = {"backend": "salesforce", "external_id": EXTERNAL_ID}  # noqa: RUF012

    def world(self):
        service = FakeSalesforce()
        service.load(some_records())
        service.add_user(*USER.values())
        return service

    def toolkits(self, config):
        settings = config.parse(CRMSettings)
        return [CRM(SalesforceBackend(settings, transport=self.vendor.transport()), settings)]

    def state(self, folder):
        return self.vendor.store.snapshot()
