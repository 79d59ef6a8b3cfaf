"""The pack's own suite, which its tests and `toolcrib packs check` run: a good call of each tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolcrib.testing.conformance import PackConformance

__all__ = ["Conformance"]


class Conformance(PackConformance):
    """Over the embedded backend, which needs neither account nor network."""

    pack = "notes"
    row_cap = 100

    def calls(self) -> Mapping[str, Mapping[str, Any]]:
        """One good call of each tool."""
        return {
            "find_items": {"text": "milk"},
            "get_item": {"name": "plan"},
            "put_item": {"name": "plan", "text": "buy milk"},
            "append_item": {"name": "plan", "line": "buy tea"},
            "delete_item": {"name": "plan"},
        }
