"""Azure Key Vault, through azure-keyvault-secrets (extra `azure`).

Who asks is found by `DefaultAzureCredential`: environment, workload identity, managed identity, developer's
login; never by the config. The client sends a token to nobody but a vault that its own challenge fits.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.secrets import KeyVaultSecret
from azure.keyvault.secrets.aio import SecretClient

from toolcrib.errors import ConfigError, SecretError
from toolcrib.secrets._azure_errors import translated
from toolcrib.secrets._azure_names import secret_name
from toolcrib.secrets._client_loop import ClientLoop
from toolcrib.secrets._config import ProviderConfig
from toolcrib.secrets._endpoints import check_prefix, check_seconds, is_protected
from toolcrib.secrets._paths import check_path
from toolcrib.secrets._secret import Secret
from toolcrib.secrets._status import ProviderStatus

__all__ = ["AzureProvider", "AzureSettings", "secret_name"]


@dataclass(frozen=True, slots=True)
class AzureSettings:
    """`[secrets]` with `provider = "azure"`.

    `client_id` chooses among several managed identities; `ca_file` is for a proxy with a CA of its own.
    `timeout` is in seconds, for one attempt; `attempts` counts the first one.
    """

    vault_url: str
    prefix: str = ""
    client_id: str = ""
    ca_file: str = ""
    timeout: float = 5.0
    attempts: int = 3

    def __post_init__(self) -> None:
        parts = urlsplit(self.vault_url)
        if (
            not is_protected(self.vault_url)
            or parts.scheme != "https"
            or parts.path.strip("/")
            or parts.query
        ):
            raise ConfigError(
                "[secrets] vault_url is not the address of a key vault",
                rule="it is https:// and a host, and nothing behind",
                remedy='Write for example vault_url = "https://NAME.vault.azure.net"',
            )
        check_prefix(self.prefix)
        check_seconds("[secrets] timeout", self.timeout)
        check_seconds("[secrets] attempts", self.attempts)


class AzureProvider:
    """Reads the newest version of the secret that `secret_name` makes of `PREFIX/PATH`."""

    def __init__(self, settings: AzureSettings) -> None:
        self._settings = settings
        self._calls: ClientLoop[SecretClient] = ClientLoop("azure", self._make)

    @classmethod
    def from_config(cls, config: ProviderConfig) -> AzureProvider:
        """As `[secrets]` says; nothing is connected yet."""
        settings = config.parse(AzureSettings)
        if settings.ca_file:
            file = config.base / settings.ca_file
            if not file.is_file():
                raise ConfigError(
                    f"[secrets] ca_file: there is no file {str(file)!r}", remedy="Correct the path"
                )
            settings = replace(settings, ca_file=str(file))
        return cls(settings)

    async def fetch(self, path: str) -> Secret:
        """The newest value; `expires` is what Key Vault says, and a value beyond it is not handed out."""
        prefix = self._settings.prefix
        name = secret_name(f"{prefix}/{check_path(path)}" if prefix else check_path(path))

        async def ask(client: SecretClient) -> KeyVaultSecret:
            async with asyncio.timeout(self._settings.timeout * self._settings.attempts):
                return await client.get_secret(name)

        try:
            answer = await self._calls.call(ask)
        except (AzureError, TimeoutError, ValueError) as error:
            raise translated(error, path, name) from None  # its own words may quote what was sent
        return _secret(answer, path)

    async def status(self) -> ProviderStatus:
        """The key vault, and by which of Azure's ways a token for it was had."""

        async def ask(client: SecretClient) -> float:
            async with asyncio.timeout(self._settings.timeout * self._settings.attempts):
                # What NAME.vault.azure.net asks for in its challenge: in each cloud the rest of its host.
                scope = f"https://{urlsplit(self._settings.vault_url).netloc.partition('.')[2]}/.default"
                return float((await self._credential.get_token(scope)).expires_on)

        try:
            end = await self._calls.call(ask)
        except (AzureError, TimeoutError, ValueError) as error:
            raise translated(error, "its login", "any secret") from None
        used = getattr(self._credential, "_successful_credential", None)
        how = type(used).__name__ if used is not None else "DefaultAzureCredential"
        return ProviderStatus("azure", self._settings.vault_url, how, max(0.0, end - time.time()))

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    async def _make(self, stack: AsyncExitStack) -> SecretClient:
        settings = self._settings
        trust: dict[str, Any] = {"connection_verify": settings.ca_file} if settings.ca_file else {}
        trust |= {"connection_timeout": settings.timeout, "read_timeout": settings.timeout}
        trust |= {"retry_total": settings.attempts - 1, "retry_backoff_max": settings.timeout}
        who = {"managed_identity_client_id": settings.client_id} if settings.client_id else {}
        credential = await stack.enter_async_context(DefaultAzureCredential(**who, **trust))
        self._credential = credential
        return await stack.enter_async_context(SecretClient(settings.vault_url, credential, **trust))


def _secret(answer: KeyVaultSecret, path: str) -> Secret:
    about, now = answer.properties, time.time()
    expires = about.expires_on.timestamp() if about.expires_on else None
    begins = about.not_before.timestamp() if about.not_before else now
    if answer.value is None:
        raise SecretError(f"the secret at {path!r} has no value", remedy="Store one")
    if begins > now or (expires is not None and expires <= now):
        word = "has ended" if begins <= now else "is not valid yet"
        raise SecretError(
            f"the secret at {path!r} {word}",
            rule="a value is used only between the dates that Key Vault keeps with it",
            remedy="Store a new version, or correct its dates",
        )
    return Secret(answer.value, path=path, version=about.version or "", expires=expires)
