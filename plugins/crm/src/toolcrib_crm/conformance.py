"""The pack's own suites, one for each backend: `toolcrib.testing.conformance` with good calls on the sample
data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolcrib import Toolkit
from toolcrib.hookspecs import PackConfig
from toolcrib.testing.conformance import PackConformance
from toolcrib_crm import sample
from toolcrib_crm.sample import DEMO
from toolcrib_crm.settings import CRMSettings
from toolcrib_crm.toolkit import CRM

if TYPE_CHECKING:
    from toolcrib_crm.testing import FakeSalesforce

__all__ = ["Conformance", "Salesforce"]

_DEAL = {"object_type": "Opportunity", "record_id": DEMO.open_opportunity_id}


_USER = {"username": "alice@acme.example", "password": "planted-password", "security_token": "planted-token"}


class Conformance(PackConformance):
    """Over the embedded CRM, which is made anew for each check."""

    pack = "crm"

    def calls(self) -> Mapping[str, Mapping[str, Any]]:
        """One good call of each tool."""
        return {
            "search_accounts": {"text": "rotors"},
            "get_account_overview": {"account_id": DEMO.account_id},
            "search_contacts": {"text": "a"},
            "list_opportunities": {},
            "get_record": _DEAL,
            "run_query": {"query": "SELECT name, amount FROM Opportunity LIMIT 5"},
            "describe_object": {"object_type": "Lead"},
            "create_lead": {"last_name": "Kettleby", "company": DEMO.company},
            "create_contact": {"account_id": DEMO.account_id, "last_name": "Vasslow"},
            "update_record": {**_DEAL, "changes": {"next_step": "call"}},
            "set_opportunity_stage": {
                "opportunity_id": DEMO.open_opportunity_id,
                "stage": "Negotiation/Review",
            },
            "log_activity": {"about_id": DEMO.contact_id, "kind": "Call", "subject": "Asked for a quote"},
            "convert_lead": {"lead_id": DEMO.lead_id, "account_id": DEMO.account_id},
            "delete_record": {"object_type": "Lead", "record_id": DEMO.injected_lead_id},
        }


class Salesforce(Conformance):
    """Over a strict fake org on loopback, which the public client simple-salesforce passes too."""

    secrets: Mapping[str, str] = {"salesforce": json.dumps(_USER)}
    settings: Mapping[str, Any] = {"backend": "salesforce", "external_id": "Toolcrib_Key__c"}
    needs: Mapping[str, str] = dict.fromkeys(("httpx", "jwt"), 'pip install "toolcrib-crm[salesforce]"')
    fake: FakeSalesforce

    @contextmanager
    def world(self) -> Iterator[FakeSalesforce]:
        """An org with one user and the records of the good calls."""
        from toolcrib_crm.testing import FakeSalesforce

        with FakeSalesforce() as self.fake:
            self.fake.load(_some_records())
            self.fake.add_user(*_USER.values())
            yield self.fake

    def toolkits(self, config: PackConfig) -> list[Toolkit]:
        """The pack's, with a way to the fake in place of the one to salesforce.com."""
        from toolcrib_crm.salesforce import SalesforceBackend

        settings = config.parse(CRMSettings)
        return [CRM(SalesforceBackend(settings, transport=self.fake.transport()), settings)]

    def state(self, folder: Path) -> Any:
        """The org's records, without the clock that every write moves, also one that changes nothing."""
        clock = ("LastModifiedDate", "SystemModstamp")
        return {
            name: {key: {field: row[field] for field in row.keys() - clock} for key, row in rows.items()}
            for name, rows in self.fake.store.snapshot().items()
        }


def _some_records() -> dict[str, list[Mapping[str, Any]]]:
    """The records of the good calls and a few more: the fake looks through all for each query."""
    wanted = set(asdict(DEMO).values())
    return {
        kind: [row for at, row in enumerate(rows) if at < 30 or wanted & set(map(str, row.values()))]
        for kind, rows in sample.records().items()
    }
