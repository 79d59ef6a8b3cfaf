"""OAuth 2 for packs: bearer tokens by client credentials, JWT bearer or refresh token (extra `oauth`).

A pack makes one `TokenSource` and asks it in every call. The long-lived part (client secret, private key,
refresh token) is a secret like any other: found by the pack's config, for this principal, decided by policy
and recorded at each use. The short-lived token is kept in memory only, apart for each tenant, user and
version of that secret, and the crib's redactor knows it before the pack does. A refresh token that its
server replaces is stored again where it was, if its provider can do that.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias

from toolcrib._oauth_requests import SHAPES, Answer, GrantEnded, ask_token, read_credentials
from toolcrib._oauth_rotation import Refresh, Unstored, family_of
from toolcrib.context import CallContext
from toolcrib.errors import ConfigError
from toolcrib.secrets import Secret
from toolcrib.secrets._cache import SecretCache
from toolcrib.secrets._endpoints import check_endpoint, check_seconds

__all__ = ["Grant", "TokenSource"]

Grant: TypeAlias = Literal["client_credentials", "jwt_bearer", "refresh_token"]

LONGEST = 24 * 3600.0
"""Seconds for which a token is kept at most, whatever the server says."""


@dataclass(frozen=True, slots=True)
class _Ask:
    """Whose token is wanted, and with what; values are not shown."""

    key: str
    credentials: Mapping[str, str] = field(repr=False)
    secret: Secret
    ctx: CallContext


class TokenSource:
    """Bearer tokens of one token endpoint, for all calls, from any event loop; nothing is to be closed.

    Args:
        secret: The pack's name of the long-lived secret, a JSON object of strings: `client_id` with
            `client_secret`, with `private_key` (PEM; also `subject`, `key_id`), or with `refresh_token` (also
            `client_secret`).
        grant: How a token is asked for.
        token_url: The endpoint: https, or http to this very machine. `ConfigError` for another.
        scopes: What the token shall permit.
        audience: Of the JWT; default is `token_url`.
        auth: Where the client secret goes: in a header, or in the form.
        algorithm: That signs the JWT.
        skew: Seconds before its end at which a token is renewed.
        timeout: Seconds for one request to the endpoint.
        ca_file: The CA that vouches for the endpoint, if it is not the system's.
    """

    def __init__(
        self,
        *,
        secret: str,
        grant: Grant,
        token_url: str,
        scopes: Sequence[str] = (),
        audience: str = "",
        auth: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic",
        algorithm: Literal["RS256", "RS384", "RS512", "ES256", "ES384", "PS256"] = "RS256",
        skew: float = 60.0,
        timeout: float = 10.0,
        ca_file: str | None = None,
    ) -> None:
        check_endpoint("token_url", token_url or "(none)")
        check_seconds("timeout", timeout)
        if grant not in SHAPES:
            raise ConfigError(f"grant = {grant!r} is no grant", rule=f"grants: {', '.join(SHAPES)}")
        self.secret, self.grant, self.token_url = secret, grant, token_url
        self.scopes, self.audience = tuple(scopes), audience or token_url
        self.auth, self.algorithm = auth, algorithm
        self.skew, self.timeout, self.ca_file = skew, timeout, ca_file
        self._tokens = SecretCache(LONGEST)
        self._unstored = Unstored(secret)

    async def token(self, ctx: CallContext) -> Secret:
        """The token for the principal of this call, kept or fetched once for all who ask at the same time.

        Its `expires` is when it will be renewed. `SecretRefused` where the endpoint says no to this secret,
        another `SecretError` where it cannot answer now.
        """
        ask = await self._ask(ctx)
        found = self._tokens.hit(ask.key)
        if found is None:
            found = await self._tokens.get(ask.key, partial(self._fetch, ask))
        ctx.learn(found)
        return found

    async def renewed(self, ctx: CallContext, refused: Secret) -> Secret:
        """Another token instead of one that the API answered 401 to; ask once, then give up.

        Where many callers were refused the same token, it is fetched once.
        """
        ask = await self._ask(ctx)
        if self._tokens.hit(ask.key) is refused:
            self._tokens.forget(ask.key)
        return await self.token(ctx)

    async def _ask(self, ctx: CallContext) -> _Ask:
        return self._asking(await ctx.secret(self.secret), ctx)

    def _asking(self, secret: Secret, ctx: CallContext) -> _Ask:
        value, who = secret.reveal(), ctx.principal
        credentials = read_credentials(value, self.grant, secret.path)
        family = family_of(credentials) if self.grant == "refresh_token" else None
        # The digest stays in memory: a variable has no version, but a new value must give a new token.
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        what = [family] if family else [str(secret.version), digest]
        return _Ask(json.dumps([who.tenant, who.user, secret.path, *what]), credentials, secret, ctx)

    async def _fetch(self, ask: _Ask, key: str) -> Secret:
        if self.grant == "refresh_token":
            return await self._refresh(ask)
        return self._token(await ask_token(self, ask.credentials, ask.secret.path), ask)

    async def _refresh(self, ask: _Ask) -> Secret:
        """A token for the refresh token, which the server may replace thereby."""
        credentials = self._unstored.newest(ask.key, ask.credentials)
        try:
            answer = await ask_token(self, credentials, ask.secret.path)
        except GrantEnded as ended:
            ask, answer = await self._with_another(ask, ended)
            credentials = dict(ask.credentials)
        token = self._token(answer, ask)
        if answer.refresh_token and answer.refresh_token != credentials["refresh_token"]:
            used = Refresh(ask.secret, ask.credentials, ask.ctx)
            stored = await self._unstored.store(ask.key, used, answer.refresh_token)
            if stored is not None:  # whoever finds the new version finds this token too
                self._tokens.keep(self._asking(stored, ask.ctx).key, token)
        return token

    async def _with_another(self, ask: _Ask, ended: GrantEnded) -> tuple[_Ask, Answer]:
        """What the refresh token gives that another process stored; raises `ended` where there is none."""
        found = await self._unstored.stored_since(ask.key, Refresh(ask.secret, ask.credentials, ask.ctx))
        if found is None:
            raise ended
        newer = self._asking(found, ask.ctx)
        return newer, await ask_token(self, newer.credentials, found.path)

    def _token(self, answer: Answer, ask: _Ask) -> Secret:
        life = min(answer.expires_in, LONGEST)
        kept = life - self.skew if life > 2 * self.skew else life / 2
        path, version = ask.secret.path, ask.secret.version
        token = Secret(answer.access_token, path=path, version=version, expires=time.time() + kept)
        ask.ctx.learn(token)
        return token
