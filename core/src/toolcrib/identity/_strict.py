"""A token taken apart before anything in it is believed: strictly, because parsers that differ are holes.

Two readers of one JSON text may see two different values for a key that stands twice, or take a key that the
token itself brings. So what is unusual is refused before a signature is looked at: the header may name an
algorithm and a key of ours, and nothing else that decides.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any, NoReturn

from toolcrib.config import ASYMMETRIC
from toolcrib.errors import NotAuthenticated

__all__ = ["Parts", "refuse", "take_apart"]

LARGEST = 16 * 1024
"""Characters of a token; identity providers warn from half of that."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KEY_ID = re.compile(r"[A-Za-z0-9._~:+/=@-]{1,200}")
_KNOWN_HEADER = frozenset(("alg", "kid", "typ", "cty", "x5t", "x5t#S256"))
_TYPES = frozenset(("jwt", "at+jwt", "application/at+jwt"))


@dataclass(frozen=True, slots=True)
class Parts:
    """What an unverified token says of itself: which algorithm and which key. Claims count once verified."""

    algorithm: str
    key_id: str | None
    claims: dict[str, Any]


def take_apart(token: str, algorithms: frozenset[str]) -> Parts:
    """The parts of `token`; `NotAuthenticated` for whatever is not a plain signed token."""
    if len(token) > LARGEST:
        refuse(f"the token has {len(token):,} characters", f"a token has at most {LARGEST:,}")
    if not _TOKEN.fullmatch(token):
        refuse("the token is not a signed JWT", "three parts in base64url, joined by dots")
    header, claims, _ = token.split(".")
    fields = _document(header, "header")
    _check_header(fields)
    algorithm = fields.get("alg")
    if algorithm not in algorithms or algorithm not in ASYMMETRIC:
        refuse(
            "the token's algorithm is not accepted", f"accepted: {', '.join(sorted(algorithms & ASYMMETRIC))}"
        )
    return Parts(str(algorithm), fields.get("kid"), _document(claims, "claims"))


def _check_header(fields: dict[str, Any]) -> None:
    odd = sorted(set(fields) - _KNOWN_HEADER)
    if odd:
        names = ", ".join(name[:20] for name in odd[:3])
        refuse(
            f"the token's header has {names!r}",
            "a header names an algorithm and a key id; keys come from the issuer alone",
        )
    kind = fields.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        refuse("the token's header has a wrong typ", "typ is JWT or at+jwt")
    key = fields.get("kid")
    if key is not None and not (isinstance(key, str) and _KEY_ID.fullmatch(key)):
        refuse("the token's key id is not one", "kid is a short plain text; it is looked up, never opened")


def _document(part: str, what: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            refuse(f"the token's {what} name something twice", "a key stands once")
        return found

    try:
        text = urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("utf-8")
        document = json.loads(text, object_pairs_hook=unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        refuse(f"the token's {what} are not a JSON object", "a JWT's parts are JSON objects")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON


def refuse(
    what: str, rule: str, remedy: str = "Get a token from the issuer, and pass it unchanged"
) -> NoReturn:
    """Raise `NotAuthenticated`."""
    raise NotAuthenticated(what, rule=rule, remedy=remedy)
