"""Texts as a reviewer may trust their eyes: what is not seen, or taken for another letter, is an escape.

Three kinds of characters deceive. Some are not seen at all: controls, bidirectional overrides, zero widths,
tags, and a few that Unicode calls printable though they have no shape. Some are another letter's double by
design: full width, mathematical. And some scripts have letters that look Latin: in a text that is mostly
Latin, and in a word that mixes them with Latin, they are shown for what they are. Russian stays readable.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise

__all__ = ["odd_places", "visible"]

_SHAPELESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Printable by their categories, and not seen: fillers, variation selectors, the blank Braille pattern."""
_LOOK_LATIN = (
    "CYRILLIC",
    "GREEK",
    "COPTIC",
    "ARMENIAN",
    "CHEROKEE",
    "LISU",
    "DESERET",
    "GOTHIC",
    "OLD ITALIC",
)
_WORD = re.compile(r"[^\W\d_]+")


def visible(text: str, escape: Callable[[str], str] | None = None) -> str:
    """`text` with every deceiving character as an escape, line ends as they are."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    odd, write = odd_places(text), escape or _escape
    return "".join(write(char) if place in odd else char for place, char in enumerate(text))


def odd_places(text: str) -> set[int]:
    """Where in `text` a character deceives."""
    odd = {place for place, char in enumerate(text) if char != "\n" and _is_odd(char)}
    odd |= {
        place
        for place, (before, char) in enumerate(pairwise(text), 1)
        if before.isascii() and unicodedata.category(char) in ("Mn", "Me")  # a mark on a plain letter
    }
    if text.isascii():
        return odd
    letters = [char for char in text if char.isalpha()]
    mostly_latin = 2 * sum(map(_is_latin, letters)) >= len(letters)
    for word in _WORD.finditer(text):
        if mostly_latin or any(map(_is_latin, word[0])):
            odd |= {place for place in range(*word.span()) if _name(text[place]).startswith(_LOOK_LATIN)}
    return odd


def _is_odd(char: str) -> bool:
    if char.isascii():
        return not char.isprintable()
    if not char.isprintable() or _SHAPELESS.match(char):
        return True
    if unicodedata.category(char)[0] == "L" or char.isdecimal():
        double = unicodedata.normalize("NFKC", char)
        # Latin letters beyond those that languages write with: phonetic ones, which look like plain ones.
        phonetic = char > "\u024f" and not "\u1e00" <= char <= "\u1eff" and _is_latin(char)
        return phonetic or (double.isascii() and double != char)
    return False


def _is_latin(char: str) -> bool:
    return ("a" <= char <= "z" or "A" <= char <= "Z") if char.isascii() else _name(char).startswith("LATIN")


def _name(char: str) -> str:
    return "" if char.isascii() else unicodedata.name(char, "")


def _escape(char: str) -> str:
    return char.encode("ascii", "backslashreplace").decode() if not char.isascii() else repr(char)[1:-1]
