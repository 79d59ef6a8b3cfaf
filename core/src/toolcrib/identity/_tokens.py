"""From a verified token to the caller: which claim says what."""

from __future__ import annotations

from typing import Any

import jwt
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuedAtError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWTError,
)

from toolcrib.config import IdentitySettings
from toolcrib.errors import NotAuthenticated
from toolcrib.identity._caller import ANY, Caller, plain_id
from toolcrib.identity._issuer import Issuer
from toolcrib.identity._strict import refuse, take_apart

__all__ = ["Tokens"]


class Tokens:
    """Checks tokens of the configured issuer."""

    def __init__(self, settings: IdentitySettings, tenant: str, issuer: Issuer) -> None:
        self._settings, self._tenant, self._issuer = settings, tenant, issuer
        self._algorithms = frozenset(settings.algorithms)

    async def caller(self, token: str) -> Caller:
        """Who the token speaks for; `NotAuthenticated`, or `Unavailable` where the issuer's keys are not to
        be had.
        """
        parts = take_apart(token, self._algorithms)
        if parts.claims.get("iss") != self._issuer.url:  # before its key is looked for anywhere
            refuse("the token is from another issuer", f"[identity] issuer is {self._issuer.url}")
        key = await self._issuer.key(parts.key_id, parts.algorithm)
        return self._caller(self._verified(token, key, parts.algorithm))

    def _verified(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:
        settings = self._settings
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=settings.audience,
                issuer=self._issuer.url,
                leeway=settings.leeway_seconds,
                options={"require": ["exp", "iat", "iss", "aud"], "strict_aud": False},
            )
        except PyJWTError as error:
            raise self._refusal(error) from None
        return claims

    def _refusal(self, error: PyJWTError) -> NotAuthenticated:
        """In our own words, because the library's may quote the token."""
        leeway = f"clocks may differ by {self._settings.leeway}"
        what, rule = next(
            (words for kind, words in _WORDS.items() if isinstance(error, kind)),
            ("the token is not valid", "a token is signed by the issuer"),
        )
        if isinstance(error, MissingRequiredClaimError):
            rule += f" (missing: {error.claim})"
        rule = rule.format(audience=self._settings.audience, issuer=self._issuer.url, leeway=leeway)
        return NotAuthenticated(what, rule=rule, remedy="Get a new token from the issuer")

    def _caller(self, claims: dict[str, Any]) -> Caller:
        settings, remedy = self._settings, "Have the issuer put a plain id there, or configure another claim"
        user = plain_id(claims.get(settings.user_claim), f"the claim {settings.user_claim!r}", remedy)
        if settings.user_claim == "email" and claims.get("email_verified") is not True:
            refuse(
                "the token's e-mail address is not verified", "an address counts once email_verified is true"
            )
        tenant = self._tenant
        if settings.tenant_claim:
            tenant = plain_id(
                claims.get(settings.tenant_claim), f"the claim {settings.tenant_claim!r}", remedy
            )
        return Caller(user, tenant, self._agents(claims), f"the token of {self._issuer.url}")

    def _agents(self, claims: dict[str, Any]) -> frozenset[str]:
        """The agent in `act` (RFC 8693, 4.1: the outermost acts now), else those that are permitted."""
        name = self._settings.agents_claim
        named = claims.get(name, list(self._settings.agents))
        named = named.split() if isinstance(named, str) else named
        if not isinstance(named, list):
            refuse(f"the claim {name!r} is no list", "agents are a list of names")
        remedy = "Have the issuer put plain names there"
        permitted = frozenset(
            ANY if each == ANY else plain_id(each, f"the claim {name!r}", remedy) for each in named
        )
        if "act" not in claims:
            return permitted
        acting = claims["act"].get("sub") if isinstance(claims["act"], dict) else None
        agent = plain_id(acting, "the claim 'act.sub'", remedy)
        if (name in claims or self._settings.agents) and agent not in permitted and ANY not in permitted:
            refuse("the agent in the claim 'act' is not permitted", f"it is one of the claim {name!r}")
        return frozenset((agent,))


_WORDS: dict[type[PyJWTError], tuple[str, str]] = {
    ExpiredSignatureError: ("the token has expired", "exp is in the future; {leeway}"),
    ImmatureSignatureError: ("the token is not valid yet", "nbf and iat are in the past; {leeway}"),
    InvalidIssuedAtError: ("the token's iat is no time", "iat is a number of seconds"),
    InvalidAudienceError: ("the token is for somebody else", "aud is {audience!r}"),
    InvalidIssuerError: ("the token is from another issuer", "iss is {issuer!r}"),
    InvalidSignatureError: ("the token's signature is wrong", "a token is signed by {issuer}"),
    MissingRequiredClaimError: ("the token lacks a claim", "a token has exp, iat, iss and aud"),
}
