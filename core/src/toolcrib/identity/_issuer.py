"""The keys of one issuer: discovered, kept for a while, looked for again when an unknown one is named.

Anybody can name an unknown key, so that alone must not make this process fetch at will: after one look the
next must wait. Callers that need the same document share one fetch. When the issuer cannot be reached, what
is known goes on until it is too old to rule out that a key was withdrawn; then everybody is refused.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from toolcrib.errors import ConfigError, ToolcribError, Unavailable
from toolcrib.identity._fetch import check_url, fetch_json
from toolcrib.identity._strict import refuse

__all__ = ["PAUSE", "Issuer"]

PAUSE = 30.0
"""Seconds between two looks for unknown keys, and between two tries to refresh."""

MOST_KEYS = 100

_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
SMALLEST_RSA = 2048


@dataclass(frozen=True, slots=True)
class _Keys:
    at: float = float("-inf")
    by_id: Mapping[str | None, dict[str, Any]] = field(default_factory=dict)


class Issuer:
    """Public keys by id. `max_age` is in seconds; `clock` tells seconds that never go back."""

    def __init__(self, url: str, max_age: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = check_url(url, "[identity] issuer")
        self._max_age, self._clock = max_age, clock
        self._keys = _Keys()
        self._lock = threading.Lock()
        self._flight: Future[None] | None = None
        self._looked = float("-inf")

    async def key(self, key_id: str | None, algorithm: str) -> PyJWK:
        """The key of this id for this algorithm; `NotAuthenticated` if there is none, `Unavailable` if keys
        cannot be had.
        """
        await self._refresh()
        found = self._find(key_id)
        if found is None and self._clock() - self._looked >= PAUSE:
            await self._share()
            found = self._find(key_id)
        if found is None:
            refuse(
                f"the token is signed with a key that {self.url} does not have",
                "a token's kid is one of the issuer's keys",
                "Get a new token; a key that was just made known is looked for again within a minute",
            )
        return self._usable(found, algorithm)

    async def _refresh(self) -> None:
        """See to it that the keys are young enough; past half of their age a failure is borne."""
        age = self._clock() - self._keys.at
        if age < self._max_age / 2 or (age < self._max_age and self._clock() - self._looked < PAUSE):
            return
        try:
            await self._share()
        except ToolcribError:
            if self._clock() - self._keys.at >= self._max_age:
                raise

    async def _share(self) -> None:
        """Fetch, or wait for the fetch that is under way."""
        with self._lock:
            flight = self._flight
            if flight is None:
                flight = self._flight = Future()
                threading.Thread(
                    target=self._fetch, args=(flight,), name="toolcrib-issuer", daemon=True
                ).start()
        await asyncio.shield(asyncio.wrap_future(flight))

    def _fetch(self, flight: Future[None]) -> None:
        error: BaseException | None = None
        try:
            self._keys = _Keys(self._clock(), self._fetched())
        except ToolcribError as raised:
            error = raised
        except Exception as raised:  # whoever waits must hear of it
            error = Unavailable(f"the keys of {self.url} could not be read ({type(raised).__name__})")
        with self._lock:
            self._looked, self._flight = self._clock(), None
        if error is None:
            flight.set_result(None)
        else:
            flight.set_exception(error)

    def _fetched(self) -> dict[str | None, dict[str, Any]]:
        about = fetch_json(self.url.rstrip("/") + "/.well-known/openid-configuration")
        if about.get("issuer") != self.url:
            raise self._wrong("says that it is another issuer", "the document's issuer is [identity] issuer")
        where = about.get("jwks_uri")
        try:
            keys = fetch_json(check_url(where if isinstance(where, str) else "", "jwks_uri")).get("keys")
        except ConfigError as error:
            raise self._wrong(f"names no place for its keys: {error.what}", error.rule) from None
        if not isinstance(keys, list) or len(keys) > MOST_KEYS:
            raise self._wrong("has no list of keys", f"keys are a list of at most {MOST_KEYS}")
        return {entry.get("kid"): entry for entry in keys if isinstance(entry, dict)}

    def _wrong(self, what: str, rule: str) -> Unavailable:
        return Unavailable(f"{self.url} {what}", rule=rule, remedy="Correct [identity] issuer, or the issuer")

    def _find(self, key_id: str | None) -> dict[str, Any] | None:
        """The key of this id; a token that names none is checked with the issuer's only key."""
        keys = self._keys.by_id
        if key_id is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(key_id)

    def _usable(self, entry: dict[str, Any], algorithm: str) -> PyJWK:
        """The key, if it is a public one made for this algorithm."""
        fits = (
            entry.get("kty") == _KINDS[algorithm[:2]]
            and entry.get("alg", algorithm) == algorithm
            and entry.get("use", "sig") == "sig"
            and entry.get("crv") == _CURVES.get(algorithm, entry.get("crv"))
        )
        if not fits:
            refuse(
                "the token's key is not for the token's algorithm", f"a key of {self.url} is used as it says"
            )
        try:
            key = PyJWK.from_dict(entry, algorithm)
        except (PyJWTError, ValueError, TypeError):
            refuse("the token's key cannot be used", f"keys of {self.url} are sound JWKs")
        if entry["kty"] == "RSA" and key.key.key_size < SMALLEST_RSA:
            refuse("the token's key is too short", f"RSA keys have at least {SMALLEST_RSA} bits")
        return key
