"""Items for Toolcrib."""

from toolcrib_notes._pack import toolcrib_toolkits
from toolcrib_notes.models import Item
from toolcrib_notes.settings import Settings
from toolcrib_notes.toolkit import Items

__all__ = ["PACK_API", "Item", "Items", "Settings", "toolcrib_toolkits"]

PACK_API = 1
"""The version of Toolcrib's hooks that this pack is written for."""
