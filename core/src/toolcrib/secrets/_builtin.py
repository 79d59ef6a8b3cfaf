"""The providers that core brings, through the same hook as a pack's.

A provider's module, and with it the vendor's library, is imported when the config asks for it, never before.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from toolcrib.errors import ConfigError
from toolcrib.hookspecs import hookimpl
from toolcrib.secrets._config import OpenProvider, ProviderConfig

if TYPE_CHECKING:
    from toolcrib.secrets._secret import SecretProvider

__all__ = ["PACK_API", "PROVIDERS", "toolcrib_secret_providers"]

PACK_API = 1

PROVIDERS = {
    # name: (module, class with `from_config`, extra that it needs or "")
    "aws": ("toolcrib.secrets.aws", "AwsProvider", "aws"),
    "azure": ("toolcrib.secrets.azure", "AzureProvider", "azure"),
    "env": ("toolcrib.secrets.environment", "EnvironmentProvider", ""),
    "local": ("toolcrib.secrets.local", "LocalProvider", ""),
    "vault": ("toolcrib.secrets.vault", "VaultProvider", "vault"),
}


@hookimpl
def toolcrib_secret_providers() -> Mapping[str, OpenProvider]:
    """Each built-in provider by its name."""
    return {name: _opener(name, *home) for name, home in PROVIDERS.items()}


def _opener(name: str, module: str, cls: str, extra: str) -> OpenProvider:
    def open_provider(config: ProviderConfig) -> SecretProvider:
        try:
            home = import_module(module)
        except ModuleNotFoundError as error:
            if not extra or (error.name or "").startswith("toolcrib"):
                raise
            raise ConfigError(
                f"[secrets] provider = {name!r} needs {error.name}, which is not installed",
                rule=f"the libraries of this provider come with the extra {extra!r}",
                remedy=f"pip install 'toolcrib[{extra}]'",
            ) from None
        provider: SecretProvider = getattr(home, cls).from_config(config)
        return provider

    return open_provider
