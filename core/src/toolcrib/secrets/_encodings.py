"""How a value is written in other places: the encodings that redaction looks for.

What differs only by letter case, line breaks, quotes or backslashes is one form to `_fold`, so it is not
listed here: hex in capitals, base64 for URLs, JSON in JSON.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b32encode, b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["SHORTEST", "SHORTEST_ENCODED", "nested", "parts", "too_short", "variants"]

SHORTEST = 6
"""Characters below which a value is not looked for."""

SHORTEST_ENCODED = 8
"""Characters below which a piece of base64, base32 or hex is not looked for: it would match by chance."""

DEPTH = 3
"""How deep in JSON a value of little but punctuation is looked for."""

LONGEST_ENCODED = 64 * 1024
"""Bytes of a value above which it is looked for as it is and in JSON and base64 only."""


_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,39}")
"""What is surely the name of a field, and no key or number."""


_OPEN = frozenset(("client_id", "host", "login", "port", "scope", "token_type", "user", "username"))
"""Fields that stand beside a secret and are none, so that a short one is nothing to warn of."""


def parts(value: str) -> Iterator[str]:
    """The value, and where it is a JSON document, the texts and numbers in it."""
    yield value
    yield from (text for _, text in _leaves("", _document(value)))


def too_short(value: str) -> tuple[str, ...]:
    """What of `value` is not looked for: the fields of a document whose text is too short, as `db.pin`, and
    an empty name for the whole. Fields that are no secrets by their name (`username`, `client_id`) are left
    out.
    """
    if len(value) < SHORTEST:
        return ("",)
    fields = (name for name, text in _leaves("", _document(value)) if 0 < len(text) < SHORTEST)
    return tuple(dict.fromkeys(name for name in fields if name.rpartition(".")[2] not in _OPEN))


def _document(value: str) -> Any:
    """What `value` is in JSON, if it is a document."""
    if value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return None
    return None


def _leaves(name: str, document: Any) -> Iterator[tuple[str, str]]:
    """Each text and number with the name of its field; entries of a list have that of the list."""
    if isinstance(document, dict):
        for key, entry in document.items():
            # A document may have secrets for keys, and names are told.
            told = key if _NAME.fullmatch(key) else "(a field)"
            yield from _leaves(f"{name}.{told}" if name else told, entry)
    elif isinstance(document, list):
        for entry in document:
            yield from _leaves(name or "(a list)", entry)
    elif document is not None and not isinstance(document, bool):
        yield name, str(document)


def variants(value: str) -> Iterator[bytes]:
    """The value and its usual encodings in UTF-8, as far as they are long enough to look for."""
    if len(value) < SHORTEST:
        return
    data = _bytes(value)
    yield data
    yield _bytes(json.dumps(value)[1:-1])
    yield _bytes(json.dumps(value, ensure_ascii=False)[1:-1])
    yield from (piece for piece in _base64(data) if len(piece) >= SHORTEST_ENCODED)
    if len(data) <= LONGEST_ENCODED:
        yield from _printed(value, data)
        yield b32encode(data)[: len(data) * 8 // 5]
        yield data.hex().encode()
        yield "".join(f"%{byte:02x}" for byte in data).encode()


def nested(variant: bytes) -> Iterator[bytes]:
    """The variant, and as JSON in JSON in JSON writes it: for what folding would leave too little of."""
    text = variant.decode("utf-8", "surrogatepass")
    for _ in range(DEPTH + 1):
        yield _bytes(text)
        text = json.dumps(text, ensure_ascii=False)[1:-1]


def _printed(value: str, data: bytes) -> Iterator[bytes]:
    """As Python, HTML and URLs write it, the latter also twice."""
    yield _bytes(repr(value)[1:-1])
    yield repr(data)[2:-1].encode()
    named = html.escape(value)
    yield _bytes(named)
    yield _bytes(html.escape(value, quote=False))
    yield _bytes(named.replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))
    keep = {"errors": "surrogatepass"}  # a JSON document may hold half a surrogate pair
    for quoted in (quote(value, safe="", **keep), quote(value, **keep), quote_plus(value, **keep)):
        yield quoted.encode()
        yield quote(quoted, safe="").encode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _base64(data: bytes) -> Iterator[bytes]:
    """What base64 writes for `data` wherever it stands: the characters that depend on it alone."""
    for before in range(3):
        text = b64encode(b"\0" * before + data)
        yield text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
