"""What a secret provider is opened with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from toolcrib.packs._settings import TableConfig

if TYPE_CHECKING:
    from toolcrib.secrets._secret import SecretProvider

__all__ = ["OpenProvider", "ProviderConfig"]


class ProviderConfig(TableConfig):
    """What a secret provider may know of the config: `[secrets]` without `provider`, and the tenant."""

    __slots__ = ()
    table = "[secrets]"


OpenProvider: TypeAlias = "Callable[[ProviderConfig], SecretProvider]"
"""What `toolcrib_secret_providers` gives for each name; nothing may be connected yet."""
