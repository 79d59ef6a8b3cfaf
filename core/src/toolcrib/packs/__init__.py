"""Packs: found by their metadata, checked against the lock, imported, and registered each on its own."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolcrib.packs._load import load_packs
    from toolcrib.packs._loaded import LoadedPack, LoadedPacks, StoppedTool
    from toolcrib.packs._lock import Lock, LockedPack, LockedTool
    from toolcrib.packs._open import Contributions

__all__ = [
    "Contributions",
    "LoadedPack",
    "LoadedPacks",
    "Lock",
    "LockedPack",
    "LockedTool",
    "StoppedTool",
    "load_packs",
]


def __getattr__(name: str) -> Any:
    # Lazy, since the config needs `_settings` alone, and whoever reads a config should not pay for the rest.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    homes = {"load_packs": "_load", "Contributions": "_open"}
    home = homes.get(name, "_lock" if name.startswith("Lock") else "_loaded")
    return getattr(import_module(f"{__name__}.{home}"), name)
