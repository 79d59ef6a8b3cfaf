"""Who a request is sent as: headers from the calling principal's secret, renewed once where they have
expired.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import orjson

from toolcrib.context import CallContext
from toolcrib.errors import VendorRefused

__all__ = ["BasicLogin", "Credentials", "Headers", "SecretHeader", "Token", "TokenLogin"]

Headers: TypeAlias = Mapping[str, str]


class Credentials(Protocol):
    """What `Client` asks before it sends."""

    @property
    def secret(self) -> str:
        """The name of the secret in the pack's config, for messages."""
        ...

    async def headers(self, ctx: CallContext) -> Headers:
        """The headers that say who asks, for this principal."""
        ...

    async def renew(self, ctx: CallContext, refused: Headers) -> bool:
        """Called once when the vendor answered 401 to `refused`; whether `headers` has others now."""
        ...

    async def hidden(self, ctx: CallContext) -> tuple[str, ...]:
        """What a vendor may quote back and no message may hold: the secret's value, and the values in it."""
        ...


class SecretHeader:
    """The secret itself in a header: `SecretHeader("research")` sends `authorization: Bearer VALUE`."""

    def __init__(self, secret: str, *, header: str = "authorization", scheme: str = "Bearer") -> None:
        self.secret, self._header, self._scheme = secret, header, scheme

    async def headers(self, ctx: CallContext) -> Headers:
        """See `Credentials.headers`."""
        value = (await ctx.secret(self.secret)).reveal()
        if not value.isascii() or not value.isprintable():
            raise _bad(self.secret, "has characters that no header can hold")
        return {self._header: f"{self._scheme} {value}".strip()}

    async def renew(self, ctx: CallContext, refused: Headers) -> bool:
        """A secret is fetched for every call, so there is no newer one."""
        return False

    async def hidden(self, ctx: CallContext) -> tuple[str, ...]:
        """See `Credentials.hidden`."""
        return _values((await ctx.secret(self.secret)).reveal())


class BasicLogin:
    """HTTP Basic from a secret that is a JSON object with `username` and `password`."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    async def headers(self, ctx: CallContext) -> Headers:
        """See `Credentials.headers`; `VendorRefused` where the secret has another shape."""
        try:
            found = orjson.loads((await ctx.secret(self.secret)).reveal())
            pair = f"{found['username']}:{found['password']}"
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise _bad(self.secret, "is no JSON object with username and password") from None
        return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    async def renew(self, ctx: CallContext, refused: Headers) -> bool:
        """A password does not expire by itself."""
        return False

    async def hidden(self, ctx: CallContext) -> tuple[str, ...]:
        """See `Credentials.hidden`."""
        return _values((await ctx.secret(self.secret)).reveal())


@dataclass(frozen=True, slots=True)
class Token:
    """What a login gives; `lifetime` is in seconds from now, None if unknown. `server` is the base URL at
    which the token is good, where the vendor says so: see `Client.at`.
    """

    value: str = field(repr=False)
    lifetime: float | None = None
    server: str = ""


Login: TypeAlias = Callable[[str, CallContext], Awaitable[Token]]


@dataclass(slots=True)
class _Session:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: Token | None = None
    until: float = float("inf")


class TokenLogin:
    """A token that `login(secret value, ctx)` fetches, kept until it expires or is refused.

    Tokens are kept apart by tenant, user and the secret's value, so no principal is ever sent as another.
    Calls that need the same token at once log in once.
    """

    MOST = 256
    EARLY = 30.0

    def __init__(self, secret: str, login: Login, *, scheme: str = "Bearer") -> None:
        self.secret, self._login, self._scheme = secret, login, scheme
        # By loop, as a lock belongs to one.
        self._sessions: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, OrderedDict[tuple[str, ...], _Session]
        ] = weakref.WeakKeyDictionary()

    async def headers(self, ctx: CallContext) -> Headers:
        """See `Credentials.headers`; logs in where there is no token, or it is about to expire."""
        return {"authorization": self._line(await self.token(ctx))}

    async def token(self, ctx: CallContext) -> Token:
        """The token that `headers` sends, for a vendor that also wants it elsewhere."""
        return await self._token(ctx, refused="")

    async def renew(self, ctx: CallContext, refused: Headers) -> bool:
        """Log in again, unless somebody else has done so since."""
        await self._token(ctx, refused=refused.get("authorization", ""))
        return True

    async def hidden(self, ctx: CallContext) -> tuple[str, ...]:
        """See `Credentials.hidden`; the token too, if there is one."""
        value = (await ctx.secret(self.secret)).reveal()
        token = self._session(ctx, value).token
        return (*_values(value), token.value) if token else _values(value)

    def forget(self) -> None:
        """Drop all tokens; the next request logs in."""
        self._sessions.clear()

    async def _token(self, ctx: CallContext, *, refused: str) -> Token:
        value = (await ctx.secret(self.secret)).reveal()  # for every call: it may have been taken away
        session = self._session(ctx, value)
        async with session.lock:
            token = session.token
            if token is None or time.monotonic() > session.until or self._line(token) == refused:
                session.token = None
                session.token = token = await self._login(value, ctx)
                life = float("inf") if token.lifetime is None else token.lifetime
                session.until = time.monotonic() + max(life - self.EARLY, life / 2)
            return token

    def _line(self, token: Token) -> str:
        return f"{self._scheme} {token.value}"

    def _session(self, ctx: CallContext, value: str) -> _Session:
        mine = self._sessions.setdefault(asyncio.get_running_loop(), OrderedDict())
        who = (ctx.principal.tenant, ctx.principal.user or "", hashlib.sha256(value.encode()).hexdigest())
        session = mine.setdefault(who, _Session())
        mine.move_to_end(who)
        while len(mine) > self.MOST:
            mine.popitem(last=False)
        return session


def _bad(secret: str, problem: str) -> VendorRefused:
    return VendorRefused(f"the secret {secret!r} {problem}", remedy="Set it with `toolcrib secrets set`")


_PUBLIC = ("user", "username", "name", "domain", "instance", "url", "client_id", "consumer_key")
"""Keys of a secret whose values are no secrets: a message that hides the account's name helps nobody."""


def _values(secret: str) -> tuple[str, ...]:
    try:
        found = orjson.loads(secret)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        return (secret,)
    inside = (value for key, value in found.items() if key not in _PUBLIC and isinstance(value, str))
    return (secret, *inside)
