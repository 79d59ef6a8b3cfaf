"""Items for Toolcrib."""

from toolcrib_newpack._pack import toolcrib_toolkits
from toolcrib_newpack.models import Item
from toolcrib_newpack.settings import Settings
from toolcrib_newpack.toolkit import Items

__all__ = ["PACK_API", "Item", "Items", "Settings", "toolcrib_toolkits"]

PACK_API = 1
"""The version of Toolcrib's hooks that this pack is written for."""
