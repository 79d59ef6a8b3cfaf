"""The pack's settings: the table `[packs.notes]` of `toolcrib.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """`max_length` is that of an item's text, in characters."""

    backend: Literal["embedded"] = "embedded"
    max_length: int = 2000
