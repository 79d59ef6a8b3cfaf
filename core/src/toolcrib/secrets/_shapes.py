"""Second net: tokens that nobody handed out here, known by their shape.

A vendor's answer, a user's question or a file can hold a token that the broker never saw. Those with an
unmistakable shape become `[token:KIND]` in what goes to models, logs and people. A literal mark of each kind
is looked for in the same pass as the values; only where one stands, the expression of its kind is tried, at
that place. Each is bounded, and asks for the length, the alphabet or the neighbours that make chance
unlikely: hashes, UUIDs and words do not match.

There is no way for a tool to be exempt. What a model may hand on it can be talked into handing to anybody,
so a tool that must pass a token on passes its path, and the next tool asks for the secret itself. An
operator whose agents work on such texts (reviewing leaked keys, say) sets `[redaction] shapes = false`;
handed-out values are redacted all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from toolcrib.secrets._fold import fold
from toolcrib.secrets._matcher import Found, Mark

__all__ = ["FEW_SHOWN", "LONGEST", "MARKS", "SHAPES", "Shape", "token_beginning", "tokens"]


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of token: `expression` is tried where one of `literals` stands, if one of `marks` (by default
    these same) was found; what it calls `token` is cut, else all that it matches. `beginning` matches one in
    the middle of which a text ends, once it shows more than `FEW_SHOWN` characters.
    """

    literals: tuple[bytes, ...]
    expression: re.Pattern[bytes]
    beginning: re.Pattern[bytes]
    marks: tuple[bytes, ...] = field(default=())


def _shape(literals: str, expression: str, beginning: str, marks: str = "") -> Shape:
    return Shape(
        tuple(literals.encode().split()),
        re.compile(expression.encode()),
        re.compile(rf"(?:{beginning})\Z".encode()),
        tuple(marks.encode().split()),
    )


FEW_SHOWN = 3
"""Characters of a token that say nothing yet."""

_BEFORE = r"(?<![A-Za-z0-9_-])"
_MIXED = r"(?=[A-Za-z_-]{0,200}[0-9])(?=[0-9_-]{0,200}[A-Za-z])"
"""Has digits and letters: a long word with hyphens has not."""

SHAPES: dict[str, Shape] = {
    "vault": _shape(
        "hvs. hvb. hvr.",
        _BEFORE + r"hv[sbr]\.[A-Za-z0-9_-]{20,400}",
        _BEFORE + r"hv[sbr]\.[A-Za-z0-9_-]{4,19}",
    ),
    "vault-legacy": _shape(
        "oken OKEN earer EARER",
        r"(?:oken|OKEN|earer|EARER)[\s\"':=|>]{1,40}(?P<token>s\.[A-Za-z0-9]{24}(?:\.[A-Za-z0-9]{1,10})?)\b",
        r"(?:oken|OKEN|earer|EARER)[\s\"':=|>]{1,40}s\.[A-Za-z0-9]{4,23}",
        marks="tokens. =s. bearers.",
    ),
    "toolcrib": _shape(
        "tck_",
        _BEFORE + r"tck_[a-z2-7]{12}_[A-Za-z0-9_-]{43}",
        _BEFORE + r"tck_[a-z2-7]{12}_[A-Za-z0-9_-]{4,42}",
    ),
    "github": _shape(
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        _BEFORE + r"(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{50,255})",
        _BEFORE + r"(?:gh[pousr]_[A-Za-z0-9]{4,35}|github_pat_[A-Za-z0-9_]{4,49})",
    ),
    "slack": _shape(
        "xoxb- xoxp- xoxa- xoxr- xoxs- xoxe- xoxe. xapp-",
        _BEFORE + r"(?:xox[abeprs]|xoxe\.xox[bp]|xapp)-[A-Za-z0-9-]{10,250}",
        _BEFORE + r"(?:xox[abeprs]|xoxe\.xox[bp]|xapp)-[A-Za-z0-9-]{4,9}",
    ),
    "aws-key": _shape(
        "AKIA ASIA",
        _BEFORE + r"(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])",
        _BEFORE + r"(?:AKIA|ASIA)[A-Z2-7]{4,15}",
    ),
    "aws-secret": _shape(
        "ccess_key ccessKey CCESS_KEY",
        r"(?:ccess_key|ccessKey|CCESS_KEY)[\s\"':=\\]{1,12}(?P<token>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])",
        r"(?:ccess_key|ccessKey|CCESS_KEY)[\s\"':=\\]{1,12}[A-Za-z0-9/+]{4,39}",
        marks="secret_access_key secretaccesskey",
    ),
    "jwt": _shape(
        "eyJ",
        _BEFORE + r"eyJ[A-Za-z0-9_-]{10,8000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{10,2000}",
        _BEFORE + r"eyJ[A-Za-z0-9_-]{4,8000}(?:\.[A-Za-z0-9_-]{0,8000}){0,2}",
    ),
    "google": _shape(
        "AIza ya29.",
        _BEFORE + r"(?:AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])|ya29\.[A-Za-z0-9_-]{30,500})",
        _BEFORE + r"(?:AIza[A-Za-z0-9_-]{4,34}|ya29\.[A-Za-z0-9_-]{4,29})",
    ),
    "stripe": _shape(
        "sk_live_ rk_live_ whsec_",
        _BEFORE + r"(?:[sr]k_live_[A-Za-z0-9]{16,250}|whsec_[A-Za-z0-9]{24,100})",
        _BEFORE + r"(?:[sr]k_live_[A-Za-z0-9]{4,15}|whsec_[A-Za-z0-9]{4,23})",
    ),
    "openai": _shape(
        "sk-",
        _BEFORE + r"sk-(?:(?:proj|svcacct|admin|ant)-)?" + _MIXED
        + r"(?:[A-Za-z0-9_-]{40,250}|[A-Za-z0-9]{20,})",
        _BEFORE + r"sk-[A-Za-z0-9_-]{4,48}",
    ),
    "private-key": _shape(
        "-----BEGIN",
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY-----(?=[\s\S]{0,200}?[A-Za-z0-9+/]{40})"
        r"(?:(?!-----)[A-Za-z0-9+/=\s\\:,.-]){40,16000}(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----)?",
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY-----[A-Za-z0-9+/=\s\\:,.-]{4,250}",
        marks="privatekey-----",
    ),
    "authorization": _shape(
        "uthorization UTHORIZATION",
        r"(?:uthorization|UTHORIZATION)[^A-Za-z0-9]{1,12}(?:b['\"])?(?i:basic|bearer) {1,4}"
        r"(?P<token>[A-Za-z0-9._~+/-]{16,8000}=*)",
        r"(?:uthorization|UTHORIZATION)[^A-Za-z0-9]{1,12}(?:b['\"])?(?i:basic|bearer) {1,4}"
        r"[A-Za-z0-9._~+/-]{4,15}",
        marks="authorizationb",
    ),
    "url-password": _shape(
        r":// :\/\/",
        r":\\?/\\?/(?P<token>[^\s/@:\[\]\"'<>?#\\]{0,100}:[^\s/@\[\]\"'<>?#\\]{3,300})(?=@[A-Za-z0-9\[])",
        # A host and its port look like it as well.
        r":\\?/\\?/[^\s/@:\[\]\"'<>?#\\]{0,100}:(?![0-9]{1,5}\Z)[^\s/@\[\]\"'<>?#\\]{3,300}@?",
    ),
    "salesforce": _shape(
        "00D",
        _BEFORE + r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{40,200}",
        _BEFORE + r"00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{4,39}",
    ),
    "azure-sas": _shape(
        "sig=",
        r"(?<=[?&;])sig=(?P<token>[A-Za-z0-9%/+_-]{40,90}=?)",
        r"(?<=[?&;])sig=[A-Za-z0-9%/+_-]{4,39}",
    ),
}  # fmt: skip
"""By kind."""

MARKS = {fold(mark): kind for kind, shape in SHAPES.items() for mark in shape.marks or shape.literals}
"""What to look for in folded text, and the kind that it may be."""


LONGEST = 20_000
"""Bytes that a token takes at most, with what announces it."""

LONGEST_MARK = 256
"""Bytes that a mark takes, with the blanks that folding drops."""


def tokens(data: bytes, marks: Iterable[Mark]) -> list[Found]:
    """Where tokens stand in `data`, at those marks."""
    return [found for mark in marks for found in _around(data, mark)]


def _around(data: bytes, mark: Mark) -> Iterator[Found]:
    kind, start, end = mark
    shape = SHAPES[kind]
    part: str | int = "token" if "token" in shape.expression.groupindex else 0
    for literal in shape.literals:
        # A mark can begin in one block and end in the next, with its literal at either end.
        first, last = max(0, start - len(literal)), end + LONGEST_MARK
        at = data.find(literal, first, last)
        while at >= 0:
            match = shape.expression.match(data, at)
            if match is not None:
                yield (*match.span(part), f"[token:{kind}]")
            at = data.find(literal, match.end(part) if match else at + 1, last)


def token_beginning(data: bytes) -> tuple[int, str] | None:
    """Where `data` ends in the middle of what may become a token, and its label."""
    start = max(0, len(data) - LONGEST)
    begun = [
        (match.start(), f"[token:{kind}]")
        for kind, shape in SHAPES.items()
        if any(literal in data for literal in shape.literals)
        and (match := shape.beginning.search(data, start))
    ]
    return min(begun, default=None)
