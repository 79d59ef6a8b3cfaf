"""Which packs are installed, read from metadata only: nothing of a pack is imported here."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolcrib.errors import PackError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = ["GROUP", "Found", "check_name", "discover"]

GROUP = "toolcrib.packs"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_RESERVED = ("local", "trust")
"""`local.` is for tools that a builder adds; `[packs] trust` is a setting."""


@dataclass(frozen=True, slots=True)
class Found:
    """One entry point of one installed distribution; `module` is the entry point's value."""

    name: str
    module: str
    distribution: str
    version: str
    dist: Distribution

    @property
    def editable(self) -> bool:
        """True when the files that will be imported are not the ones that were installed."""
        origin = _json(self.dist.read_text("direct_url.json"))
        folder = origin.get("dir_info") if isinstance(origin, dict) else None
        if isinstance(folder, dict) and folder.get("editable") is True:
            return True
        # Older installers leave no direct_url.json; but a .pth file always means code from elsewhere.
        rows = csv.reader((self.dist.read_text("RECORD") or "").splitlines())
        return any(row and row[0].lower().endswith(".pth") for row in rows)


def discover() -> dict[str, list[Found]]:
    """Installed packs by pack name, sorted; several distributions may claim one name."""
    from importlib.metadata import entry_points

    packs: dict[str, list[Found]] = {}
    for point in entry_points(group=GROUP):
        dist = point.dist
        if dist is not None:
            metadata = dist.metadata
            owner, version = metadata["Name"] or "?", metadata["Version"] or "?"
            packs.setdefault(point.name, []).append(Found(point.name, point.value, owner, version, dist))
    return {name: sorted(packs[name], key=lambda found: found.distribution) for name in sorted(packs)}


def check_name(name: str) -> None:
    """Raise `PackError` for a pack name that cannot be the first segment of a tool's name."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise PackError(
            f"{name[:80]!r} cannot be a pack's name",
            rule="a pack's name is made of at most 32 of a-z, 0-9, _ and -, and is not 'local' or 'trust'",
            remedy="Ask its author to rename the entry point",
        )


def _json(text: str | None) -> object:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None
