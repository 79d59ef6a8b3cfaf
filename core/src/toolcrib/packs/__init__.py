"""Packs: found by their metadata, checked against the lock, imported, and registered each on its own."""

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
