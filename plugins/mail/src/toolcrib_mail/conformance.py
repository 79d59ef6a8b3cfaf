"""The pack's own suite: `toolcrib.testing.conformance` with good calls of the mail tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolcrib.testing.conformance import Made, PackConformance

__all__ = ["Conformance"]

_MESSAGE = {"to": ["bob@acme.example"], "subject": "Plan", "body": "Shall we meet on Monday?"}


class Conformance(PackConformance):
    """Needs neither account nor network: messages go to an outbox in the suite's own folder."""

    pack = "mail"
    labels: Mapping[str, Sequence[str]] = {"get_draft": ()}  # a user's own words

    def calls(self) -> Mapping[str, Mapping[str, Any]]:
        """One good call of each tool; what is sent, and shown before, is the draft."""
        kept = {"draft_id": Made("draft", "draft_id")}
        return {
            "draft": _MESSAGE,
            "get_draft": kept,
            "send": {**_MESSAGE, "cc": ["carol@acme.example"], **kept},
        }
