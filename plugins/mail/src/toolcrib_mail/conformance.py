"""The pack's own suite: `toolcrib.testing.conformance` with good calls of the mail tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolcrib.testing.conformance import PackConformance

__all__ = ["Conformance"]

_MESSAGE = {"to": ["bob@acme.example"], "subject": "Plan", "body": "Shall we meet on Monday?"}


class Conformance(PackConformance):
    """Needs neither account nor network: messages go to an outbox in the suite's own folder."""

    pack = "mail"

    def calls(self) -> Mapping[str, Mapping[str, Any]]:
        """One good call of each tool; `get_draft` without an id is what the preview of `send` calls."""
        return {"draft": _MESSAGE, "get_draft": {}, "send": {**_MESSAGE, "cc": ["carol@acme.example"]}}
