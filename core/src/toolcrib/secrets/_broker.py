"""Hands secrets to tools: each pack gets what its own config names, for the principal of the call.

Whether this principal may use the secret at all is policy, and asked before (`toolcrib.executor`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from toolcrib._nearest import did_you_mean
from toolcrib.errors import SecretError, SecretRefused
from toolcrib.principal import Principal
from toolcrib.secrets._cache import SecretCache
from toolcrib.secrets._paths import PathTemplate
from toolcrib.secrets._secret import ReplacesSecrets, Secret, SecretProvider
from toolcrib.secrets.redaction import Redactor

__all__ = ["SecretBroker"]


class SecretBroker:
    """Resolves a pack's secret names to paths and fetches them; what it handed out, `redactor` can clean
    away.

    Args:
        provider: Where the values are.
        templates: Path template by secret name by pack, as `[packs.NAME.secrets]` has them. `ConfigError`
        for a
            template that is none.
        redactor: Learns each value before it is handed out; by default one of its own.
        cache: Seconds for which a value is kept, never beyond its end; 0: each use fetches.
    """

    def __init__(
        self,
        provider: SecretProvider,
        templates: Mapping[str, Mapping[str, str]],
        redactor: Redactor | None = None,
        *,
        cache: float = 0,
    ) -> None:
        self.provider = provider
        self.redactor = redactor or Redactor()
        self.templates = {
            pack: {name: PathTemplate(text, f"[packs.{pack}.secrets] {name}") for name, text in names.items()}
            for pack, names in templates.items()
        }
        self.cache = SecretCache(cache)

    def check(self, pack: str, name: str) -> PathTemplate:
        """The template of the secret `name` of `pack`; `SecretError` if there is none."""
        names = self.templates.get(pack, {})
        if name not in names:
            raise SecretError(
                f"pack {pack!r} has no secret {name!r}",
                rule=f"a pack gets what [packs.{pack}.secrets] names, and nothing else",
                remedy=did_you_mean(name, names) if names else f"Add {name} to [packs.{pack}.secrets]",
            )
        return names[name]

    def path(self, pack: str, name: str, principal: Principal) -> str:
        """Where the secret `name` of `pack` lies for this principal; `SecretError` if there is none."""
        return self.check(pack, name).fill(principal)

    async def secret(self, pack: str, name: str, principal: Principal) -> Secret:
        """The value, kept or fetched now; every failure is a `SecretError` that names the path."""
        return await self.value(self.path(pack, name, principal))

    async def value(self, path: str) -> Secret:
        """The value at a filled path, kept or fetched now; every failure is a `SecretError` that names it."""
        secret = self.cache.hit(path) or await self.cache.get(path, self._fetch)
        self.redactor.learn(secret)  # handed out again, it is among the last that are known
        return secret

    def forget(self, known: Secret) -> None:
        """Fetch it anew when it is asked for next, if what is kept is no newer than `known`."""
        kept = self.cache.hit(known.path)
        if kept is not None and (kept.version, kept.reveal()) == (known.version, known.reveal()):
            self.cache.forget(known.path)

    async def replace(self, old: Secret, value: str) -> Secret:
        """Store the successor of a value that was handed out; what is kept changes with it.

        `SecretChanged` if `old` is no longer the newest, `SecretRefused` where it cannot be written.
        """
        self.redactor.learn(Secret(value, path=old.path, version=old.version))
        if not isinstance(self.provider, ReplacesSecrets):
            raise SecretRefused(
                f"the secret at {old.path!r} cannot be written from here",
                rule="the providers local and vault (kv = 2) store what a server replaced",
                remedy="Keep this secret with one of them",
            )
        try:
            stored = await self.provider.replace(old, value)
        except SecretError:
            self.cache.forget(old.path)
            raise
        self.cache.keep(old.path, stored)
        return stored

    async def close(self) -> None:
        """Forget what is kept, and let the provider give back what it has on loan."""
        self.cache.clear()
        await self.provider.close()

    async def _fetch(self, path: str) -> Secret:
        try:
            secret = await self.provider.fetch(path)
        except SecretError:
            raise
        except Exception as error:
            # The provider's own words may hold what it was sent, so only their kind is told.
            raise SecretError(
                f"the secret at {path!r} could not be fetched ({type(error).__name__})",
                remedy="See `toolcrib secrets check`",
            ) from None
        self.redactor.learn(secret)
        if secret.expires is not None and secret.expires <= time.time():
            raise SecretError(
                f"the secret at {path!r} had ended when it came",
                rule="no value is used beyond its end",
                remedy="Look at its lease or its expiry where it is kept, and at this host's clock",
            )
        return secret
