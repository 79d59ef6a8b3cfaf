"""The pack's own suite: `toolcrib.testing.conformance` with good calls on the sample desk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolcrib.testing.conformance import PackConformance
from toolcrib_itsm.sample import DEMO

__all__ = ["Conformance", "Desk"]


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
            "search_knowledge": {"text": "vpn"},
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
