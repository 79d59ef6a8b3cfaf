"""Refresh tokens that their server replaces at each use (RFC 6749, 6; RFC 9700, 4.14).

The new token is stored where the old one was, as its next version, and only if the old one is still the
newest: whoever stored another meanwhile, a second process or a human who signed in anew, is right, and ours
is dropped. If the server no longer knows our token, another process may have used it a moment ago; what it
stored is fetched and tried before anybody is told to sign in again.

Each process keeps its own access token, so a version that another one stored must not make it ask for a new
one (which would replace the refresh token once more, and so on in turns). What we store therefore says what
it descends from: `family` is one random word for all replacements of one sign-in, with a digest that binds it
to the refresh token beside it. A token that a human stores has no family, or another token's, and counts as
new.

Where the provider cannot store it, the new token is used in this process, and a warning says once what to do.
A server that takes two uses of one token at the same time for theft revokes both: against this only one
process per sign-in helps, or a server with a grace period.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from toolcrib.context import CallContext
from toolcrib.errors import SecretChanged, SecretError, SecretRefused, ToolcribWarning
from toolcrib.secrets import Secret

__all__ = ["Refresh", "Unstored", "family_of"]

MOST = 1024
"""Of each thing that is remembered by token or path; beyond, the oldest are forgotten."""
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds to wait for what another process is about to store; a disk or a Vault may be slow."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """A stored secret with its parts, and whose call it is for; values are not shown."""

    secret: Secret
    credentials: Mapping[str, str] = field(repr=False)
    ctx: CallContext


def family_of(credentials: Mapping[str, str]) -> str | None:
    """What the refresh token descends from; None where nobody replaced it yet."""
    name, _, bound = credentials.get("family", "").partition(".")
    return name if name and bound == _digest(name, credentials["refresh_token"]) else None


class Unstored:
    """Stores replaced refresh tokens, and keeps in memory those that could not be stored."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def newest(self, key: str, credentials: Mapping[str, str]) -> dict[str, str]:
        """The credentials with the refresh token that replaced the stored one in this process, if one did."""
        kept = self._kept.get(key)
        return dict(credentials) if kept is None else {**credentials, "refresh_token": kept}

    async def stored_since(self, key: str, known: Refresh) -> Secret | None:
        """What another process stored instead, waited for once; None if nobody did."""
        for pause in (0.0,) if key in self._ended else (0.0, *PAUSES):
            await asyncio.sleep(pause)
            try:
                found = await known.ctx.secret_anew(self._name, known.secret)
            except SecretError:
                return None  # the server's no says more than that the provider is away
            if found.reveal() != known.secret.reveal():
                return found
        _note(self._ended, key)
        return None

    async def store(self, key: str, used: Refresh, fresh: str) -> Secret | None:
        """The new version with `fresh` in it; None where there is none, whatever the reason."""
        name = family_of(used.credentials) or secrets.token_hex(8)
        parts = {**used.credentials, "refresh_token": fresh, "family": f"{name}.{_digest(name, fresh)}"}
        used.ctx.learn(Secret(fresh, path=used.secret.path, version=used.secret.version))
        try:
            stored = await used.ctx.replace_secret(
                self._name, used.secret, orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()
            )
        except SecretChanged:
            self._kept.pop(key, None)
            return None
        except SecretError as error:
            self._keep(key, fresh)
            self._warn(used.secret.path, error)
            return None
        self._kept.pop(key, None)
        return stored

    def _keep(self, key: str, fresh: str) -> None:
        self._kept[key] = fresh
        self._kept.move_to_end(key)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)

    def _warn(self, path: str, error: SecretError) -> None:
        if not _note(self._told, path):
            return
        meant = " If that is meant, turn rotation off for this client, or use another grant."
        warnings.warn(
            ToolcribWarning(
                f"the server replaced the refresh token at {path!r}, and it was not stored: this process goes"
                f" on with the new one, the next one must sign in anew. {error}"
                f"{meant if isinstance(error, SecretRefused) else ''}"
            ),
            stacklevel=2,
        )


def _note(noted: OrderedDict[str, None], what: str) -> bool:
    """Remember `what` among at most `MOST`; False if it was remembered already."""
    if what in noted:
        return False
    noted[what] = None
    if len(noted) > MOST:
        noted.popitem(last=False)
    return True


def _digest(name: str, token: str) -> str:
    return hashlib.sha256(f"{name}:{token}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
