"""The pack's own suite: `toolcrib.testing.conformance` with good calls on the sample data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolcrib.testing.conformance import PackConformance
from toolcrib_crm.sample import DEMO

__all__ = ["Conformance"]

_DEAL = {"object_type": "Opportunity", "record_id": DEMO.open_opportunity_id}


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
                "stage": "Proposal/Price Quote",
            },
            "log_activity": {"about_id": DEMO.contact_id, "kind": "Call", "subject": "Asked for a quote"},
            "convert_lead": {"lead_id": DEMO.lead_id, "account_id": DEMO.account_id},
            "delete_record": {"object_type": "Lead", "record_id": DEMO.injected_lead_id},
        }
