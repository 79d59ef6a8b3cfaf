"""The pack's own suite, which its tests and `toolcrib packs check` run: good calls of each tool."""

from __future__ import annotations

from toolcrib.testing.conformance import Calls, PackConformance

__all__ = ["Conformance"]


class Conformance(PackConformance):
    """Over the embedded backend, which needs neither account nor network.

    The good writes are made first, so the reads find what they wrote: two items, since a list of one shows
    nothing of its limit.
    """

    pack = "notes"
    row_cap = 100

    def calls(self) -> Calls:
        """Good calls of each tool."""
        return {
            "find_items": {"text": "milk"},
            "get_item": {"name": "plan"},
            "put_item": [{"name": "plan", "text": "buy milk"}, {"name": "trip", "text": "milk, maps"}],
            "append_item": {"name": "plan", "line": "buy tea"},
            "delete_item": {"name": "plan"},
        }
