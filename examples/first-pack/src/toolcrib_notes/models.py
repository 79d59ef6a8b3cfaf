"""What the tools return: the same, whichever backend answers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Item"]


@dataclass(frozen=True, slots=True)
class Item:
    """One item."""

    name: str
    text: str
