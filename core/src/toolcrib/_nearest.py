"""The nearest right word, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The most similar of `words`, or None if none is similar."""
    found = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """`Did you mean 'x'?`, or what there is, as a remedy."""
    known = sorted(words)
    found = nearest(word, known)
    if found:
        return f"Did you mean {found!r}?"
    return f"There is: {', '.join(known[:12])}" if known else "There is none"
