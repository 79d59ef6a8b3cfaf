"""Opens the provider that `[secrets]` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from toolcrib._nearest import did_you_mean
from toolcrib.errors import ConfigError
from toolcrib.secrets._config import OpenProvider, ProviderConfig

if TYPE_CHECKING:
    from toolcrib.config import Config
    from toolcrib.secrets._secret import SecretProvider

__all__ = ["open_provider"]


def open_provider(config: Config, known: Mapping[str, OpenProvider]) -> SecretProvider:
    """One of the `known` ones, with its settings; `ConfigError` that names the nearest for another."""
    name = config.secrets.provider
    if name not in known:
        raise ConfigError(
            f"[secrets] provider = {name!r}: there is no such provider",
            rule=f"providers: {', '.join(sorted(known))}",
            remedy=did_you_mean(name, known),
        )
    settings, base = config.secrets.settings, config.file.parent
    return known[name](ProviderConfig(settings, config.state, base, config.tenant))
