"""The one question a server, or a builder's program, asks: who is this?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from toolcrib.errors import NotAuthenticated
from toolcrib.identity._api_keys import PREFIX, ApiKeys
from toolcrib.identity._caller import ANY, Caller

if TYPE_CHECKING:
    from toolcrib.config import Config
    from toolcrib.identity._tokens import Tokens
    from toolcrib.principal import Principal

__all__ = ["Bearer", "Credentials", "Identity", "LocalUser"]


@dataclass(frozen=True, slots=True)
class Bearer:
    """What came as `Authorization: Bearer ...`: a signed token, or an API key."""

    text: str = field(repr=False)

    @classmethod
    def of(cls, authorization: str) -> Bearer:
        """From the header's value, with or without its scheme."""
        scheme, _, rest = authorization.strip().partition(" ")
        return cls(rest if scheme.lower() == "bearer" else authorization)


@dataclass(frozen=True, slots=True)
class LocalUser:
    """Whoever runs this process, as `[approvals.users]` maps them. Not for a server: everybody would be the
    server's own user.
    """


Credentials: TypeAlias = Bearer | LocalUser


class Identity:
    """Checks credentials as `[identity]` says. Safe in threads and on several event loops."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.api_keys = ApiKeys(config.state)

    @classmethod
    def from_config(cls, config: Config) -> Identity:
        """For the config of a crib: `Identity.from_config(crib.config)`."""
        return cls(config)

    async def authenticate(
        self,
        credentials: Credentials,
        *,
        agent: str | None = None,
        session: str = "default",
        run: str = "none",
    ) -> Principal:
        """The principal behind `credentials`. `agent` is who asks to act, None where the credentials say it.

        Raises `NotAuthenticated` for credentials that prove nothing or do not permit the agent, `Unavailable`
        where they cannot be checked now, `ConfigError` where the config does not provide for them.
        """
        return (await self.caller(credentials)).principal(agent, session=session, run=run)

    async def caller(self, credentials: Credentials) -> Caller:
        """The same before an agent is chosen: user, tenant and the agents that are permitted."""
        if isinstance(credentials, LocalUser):
            from toolcrib.approvals import approver_identity

            user = approver_identity(self._config.approvals.users)
            return Caller(user, self._config.tenant, frozenset((ANY,)), "the local user")
        text = credentials.text.strip()
        if text.startswith(PREFIX):
            return await asyncio.to_thread(self.api_keys.caller, text)
        return await self._tokens.caller(text)

    @cached_property
    def _tokens(self) -> Tokens:
        settings = self._config.identity
        if not settings.issuer:
            raise NotAuthenticated(
                "a token came, but no issuer is configured",
                rule="tokens are those of [identity] issuer",
                remedy="Set issuer and audience under [identity], or use an API key",
            )
        from toolcrib.identity._issuer import Issuer
        from toolcrib.identity._tokens import Tokens

        issuer = Issuer(settings.issuer, settings.keys_max_age_seconds)
        return Tokens(settings, self._config.tenant, issuer)
