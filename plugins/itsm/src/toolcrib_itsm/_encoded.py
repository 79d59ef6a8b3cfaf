"""Encoded queries, ServiceNow's `field=value^otherLIKEvalue`, in which a text can only ever be a value.

There is no documented way to write a caret inside a value, and a value that begins with `javascript:` is run
on the server. So neither is ever sent: of a text that has them, the harmless parts are sent, which finds at
least all that is wanted, and what was found is looked through here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from toolcrib.errors import VendorRefused

__all__ = ["Search", "all_of", "contains", "equals", "one_of"]

_SCRIPT = re.compile(r"\s*javascript\s*:", re.IGNORECASE)
_BREAKS = re.compile(r"[\^\r\n]+")
_WILD = re.compile(r"[\^\r\n%_*]")


@dataclass(frozen=True, slots=True)
class Search:
    """`query` finds at least what has the text; where it is not `exact`, `keeps` says of a row's values
    whether one of them really has it.
    """

    query: str
    exact: bool
    keeps: Callable[[Iterable[str]], bool]


def contains(fields: tuple[str, ...], text: str) -> Search:
    """Rows that have the text in one of the fields, in any case; `VendorRefused` for carets alone."""
    parts = [part for part in map(_harmless, _BREAKS.split(text)) if part]
    if not parts:
        raise VendorRefused(
            f"{text!r:.80} cannot be searched for", rule="a search has something beside ^ and line breaks"
        )
    folded = text.casefold()
    exact = parts == [text] and not _WILD.search(text)
    query = all_of("^OR".join(f"{field}LIKE{part}" for field in fields) for part in parts)
    return Search(query, exact, lambda values: any(folded in value.casefold() for value in values))


def equals(field: str, value: str) -> str | None:
    """Rows whose field is the value; None where such a value cannot be asked for, so nothing is like it."""
    return f"{field}={value}" if value and _harmless(value) == value and "^" not in value else None


def one_of(field: str, values: Iterable[str]) -> str:
    """Rows whose field is one of these ids or numbers of ours."""
    return f"{field}IN{','.join(values)}"


def all_of(parts: Iterable[str | None]) -> str:
    """All of these conditions."""
    return "^".join(part for part in parts if part)


def _harmless(part: str) -> str:
    """The part without what would make ServiceNow run it: `javascript:` loses its first letter."""
    part = part.strip()
    while _SCRIPT.match(part):
        part = part[1:].strip()
    return part
