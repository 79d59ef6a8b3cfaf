"""The pack's own suite: `toolcrib.testing.conformance` with good calls on the sample desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolcrib.testing.conformance import PackConformance
from toolcrib_itsm.sample import DEMO

__all__ = ["Conformance"]

_TICKET = {"ticket_id": DEMO.unknown_ticket}
_KNOWN = {"ticket_id": DEMO.known_ticket}


class Conformance(PackConformance):
    """Over the embedded desk, which is made anew for each check."""

    pack = "itsm"

    def calls(self) -> Mapping[str, Mapping[str, Any]]:
        """One good call of each tool."""
        return {
            "search_tickets": {},
            "get_ticket": _TICKET,
            "list_journal": _TICKET,
            "search_knowledge": {"text": "vpn"},
            "get_ci": {"ci": DEMO.ci},
            "find_user": {"text": "a"},
            "create_incident": {"title": "Printer is jammed", "description": "It makes a noise."},
            "update_incident": {**_TICKET, "changes": {"category": "network"}},
            "assign": {**_TICKET, "assignee_id": DEMO.technician},
            "add_work_note": {**_TICKET, "text": "Looked at it."},
            "create_change": {"title": "Replace the printer", "description": "It is old."},
            "resolve": {**_KNOWN, "code": "solution", "notes": "Done as the article says."},
            "add_public_comment": {**_TICKET, "text": "We look into it."},
            "submit_catalog_request": {"item": "Second screen"},
            "decide_change_approval": {"change_id": DEMO.change, "decision": "approve", "reason": "Planned."},
        }
