"""A vendor's own words, made fit for a message that a model, a human and a log will read."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["plain_words", "words_of"]

_LONGEST = 500
_SHORTEST_SECRET = 4
_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})</title", re.IGNORECASE)
_SPEAKING = ("message", "error_description", "detail", "description", "title", "reason", "error", "errors")
_CODES = ("code", "errorCode", "error_code", "status_code", "type")
_DEEPEST = 4


def plain_words(text: str, *, limit: int = _LONGEST, hide: Iterable[str] = ()) -> str:
    """`text` on one line, at most `limit` characters, without control, bidi and other invisible characters.

    Each value of `hide` (credentials that were sent, and may be quoted back) becomes `***`, also where it is
    written as in a URL, a form, XML, JSON or base64.
    """
    for value in hide:
        if len(value) >= _SHORTEST_SECRET:
            for form in _forms(value):
                text = text.replace(form, "***")
    kept = (" " if char.isspace() else char for char in text[: limit * 4] if _is_visible(char))
    flat = " ".join("".join(kept).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def _forms(value: str) -> list[str]:
    """How a vendor may write a value that it got, the longest first: one may be part of another."""
    raw = value.encode("utf-8", "surrogatepass")
    found = {
        value,
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        escape(value),
        escape(value, quote=False),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        base64.b64encode(raw).decode(),
    }
    return sorted(found, key=len, reverse=True)


def _is_visible(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def words_of(content: Any) -> str:
    """What an error body says: its code and message where they stand in a usual place, else the body itself.

    Reads JSON of the kinds that vendors send (`{"error": {"message"}}`, RFC 9457 problems, OAuth errors,
    lists of such), and of an HTML page only the title.
    """
    if isinstance(content, str):
        title = _TITLE.search(content)
        if title or content.lstrip()[:1] == "<":
            return f"a page: {title.group(1)}" if title else "a page without a title"
        return content
    return _spoken(content, _DEEPEST) or ("" if content in (None, {}, []) else str(content))


def _spoken(content: Any, depth: int) -> str:
    if isinstance(content, str):
        return content
    if depth == 0:
        return ""
    if isinstance(content, list):
        return "; ".join(filter(None, (_spoken(item, depth - 1) for item in content[:3])))
    if not isinstance(content, Mapping):
        return ""
    said = next(filter(None, (_spoken(content.get(key), depth - 1) for key in _SPEAKING)), "")
    code = next((str(content[key]) for key in _CODES if isinstance(content.get(key), str | int)), "")
    return f"{code}: {said}" if said and code and code not in said else said or code
