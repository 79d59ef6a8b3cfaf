"""What a secret provider is opened with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from toolcrib.secrets._secret import SecretProvider

__all__ = ["OpenProvider", "ProviderConfig"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """What a secret provider may know of the config: `[secrets]` without `provider`, and the tenant.

    `folder` is the crib's state folder; `base` is the config file's, to which paths in settings are relative.
    """

    settings: Mapping[str, Any]
    folder: Path
    base: Path
    tenant: str

    def parse(self, cls: type[T]) -> T:
        """The settings as dataclass `cls`, types checked; ConfigError names an unknown key and a near one."""
        from toolcrib.packs._settings import parse

        return parse(cls, self.settings, "[secrets]")


OpenProvider: TypeAlias = "Callable[[ProviderConfig], SecretProvider]"
"""What `toolcrib_secret_providers` gives for each name; nothing may be connected yet."""
