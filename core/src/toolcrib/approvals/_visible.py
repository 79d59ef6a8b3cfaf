"""Values and texts made fit to be looked at by somebody who must not be deceived.

What an agent sends may hold terminal escapes, text that runs from right to left, characters without width,
look-alikes. Everything that would not show as itself is shown as its code (`\\x1b`, `\\u202e`), so an
approver sees what the tool would get.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from toolcrib.approvals._changes import ABSENT

__all__ = ["CODE", "looks_foreign", "name_of", "one_line", "readable", "visible"]

CODE = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[rn])")
"""Matches the codes that `visible` writes, so that a screen can highlight them."""

# Control, format (bidi, zero width, tags), surrogate, private, unassigned, line and paragraph separators.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
LIMIT = 4_000  # characters of one value on a screen; more is announced, never dropped silently


def visible(text: str) -> str:
    """`text` with every character that does not show as itself replaced by its code; line breaks stay, a tab
    is four spaces.
    """
    return "".join(_shown(char) for char in text.replace("\t", "    "))


def name_of(name: str) -> str:
    """A name on one line; names of fields come from agents too."""
    return visible(name).replace("\n", "\\n")


def one_line(value: Any, limit: int = 60) -> str:
    """A value on one line of at most `limit` characters, as the default of a prompt."""
    if isinstance(value, str) and value:
        text = name_of(value)
    else:
        text = name_of(orjson.dumps(value).decode() if isinstance(value, list | dict) else readable(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def readable(value: Any) -> str:
    """A JSON value as lines for people: texts as they are, lists with bullets, mappings as `name: value`.

    A text that could be taken for something else (empty, a number, `true`, spaces at its ends) is quoted.
    """
    text = "\n".join(_lines(value))
    if len(text) <= LIMIT:
        return text
    more = f"{len(text) - LIMIT:,} more characters; `toolcrib approvals show ID --json` has all"
    return f"{text[:LIMIT]}\n[… {more}]"


def looks_foreign(text: str) -> str:
    """The text with characters outside ASCII as codes, if it has any and is an address-like word; else ""."""
    if text.isascii() or " " in text.strip():
        return ""
    return text.encode("ascii", "backslashreplace").decode()


def _shown(char: str) -> str:
    if char == "\n" or " " <= char <= "~":
        return char
    if char == "\r":
        return "\\r"
    category = unicodedata.category(char)
    if category not in HIDDEN and category != "Zs":
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _nested(f"{name_of(str(name))}: ", inner)
    elif isinstance(value, list | tuple) and value:
        for inner in value:
            yield from _nested("• ", inner)
    else:
        yield from _scalar(value).split("\n")


def _nested(lead: str, value: Any) -> Iterator[str]:
    lines = list(_lines(value))
    if isinstance(value, Mapping | list | tuple) and value and lead != "• ":
        yield lead.rstrip()
        yield from ("  " + line for line in lines)
        return
    yield lead + lines[0]
    yield from ("  " + line for line in lines[1:])


def _scalar(value: Any) -> str:
    if value is ABSENT:
        return repr(ABSENT)
    if isinstance(value, str):
        return _quoted(value) if _could_mislead(value) else visible(value)
    try:
        return visible(orjson.dumps(value).decode())
    except TypeError:
        return visible(repr(value))


def _could_mislead(text: str) -> bool:
    if not text or text == repr(ABSENT) or ("\n" not in text and text != text.strip(" ")):
        return True
    try:
        return not isinstance(orjson.loads(text), dict | list)
    except ValueError:
        return False


def _quoted(text: str) -> str:
    return f'"{visible(text)}"'
