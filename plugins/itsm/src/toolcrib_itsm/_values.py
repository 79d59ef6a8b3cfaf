"""Small checks on what tools are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from pydantic import TypeAdapter, ValidationError

from toolcrib.errors import ToolError, VendorRefused
from toolcrib_itsm.backend import Changes
from toolcrib_itsm.models import Priority, RecordId

__all__ = ["checked_changes", "read_id", "words_of"]

_MAY_BE_EMPTY = ("category", "ci_id", "parent_id")
_STATES = ("new", "in_progress", "on_hold")
"""The states that an update may set; the others have tools of their own, or none."""
_CHOICES = {"priority": get_args(Priority), "state": _STATES}
_LONGEST = {"title": 160, "description": 200, "category": 80}
_ID: TypeAdapter[str] = TypeAdapter(RecordId)


def checked_changes(changes: Mapping[str, str | None], allowed: Iterable[str]) -> Changes:
    """`changes` as they may be made; else `VendorRefused` with what may be changed, and to what."""
    names = tuple(allowed)
    for name, value in changes.items():
        if name not in names:
            raise _refused(f"{name!r:.80} may not be changed", f"allowed are {', '.join(names) or 'none'}")
        if value is None or not value.strip():
            if value is not None or name not in _MAY_BE_EMPTY:
                raise _refused(f"{name} cannot be empty", "null empties category, ci_id or parent_id")
            continue
        if name in _CHOICES and value not in _CHOICES[name]:
            raise _refused(f"{name} cannot be {value!r:.80}", f"it is one of {', '.join(_CHOICES[name])}")
        if name in ("ci_id", "parent_id"):
            _check_id(name, value)
        elif len(value) > _LONGEST.get(name, 200):
            raise _refused(f"{name} got {len(value)} characters", f"it holds {_LONGEST[name]}")
    return dict(changes)


def _check_id(name: str, value: str) -> None:
    try:
        _ID.validate_python(value)
    except ValidationError:
        raise _refused(f"{name} cannot be {value!r:.80}", "an id has letters and digits") from None


def words_of(text: str) -> tuple[str, ...]:
    """The words of a search, at most eight of them; `VendorRefused` where there are none."""
    words = tuple(dict.fromkeys(text.casefold().split()))[:8]
    if not words:
        raise VendorRefused("there is nothing to search for", rule="search_knowledge takes a few words")
    return words


def read_id(value: object, what: str) -> str:
    """An id as a backend got it from its vendor; `ToolError` where it is none."""
    try:
        return _ID.validate_python(value)
    except ValidationError:
        raise ToolError(f"the desk sent a {what} without an id that can be used") from None


def _refused(what: str, rule: str) -> VendorRefused:
    return VendorRefused(what, rule=rule, remedy="Correct this and call again")
