"""What a call would change: *before -> after*, field by field, from the preview and the arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ABSENT", "Change", "changes", "leaves", "unmatched"]


class _Absent:
    def __repr__(self) -> str:
        return "(not set)"


ABSENT: Any = _Absent()
"""Stands for a field that the record does not have."""

CONTAINERS = ("fields", "values", "changes")
"""Arguments of update-like tools whose members are fields of the record, and keys under which previews nest
their fields.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One field that the call would change."""

    field: str
    before: Any
    after: Any


def changes(before: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[Change]:
    """The fields whose value in `arguments` differs from that in `before`, in the order of the arguments.

    An argument is a field when the record has a field of the same name (case and underscores do not matter);
    the members of a `fields`, `values` or `changes` mapping are always fields, `ABSENT` before if the record
    lacks them.
    """
    record = _fields(before)
    found: list[Change] = []
    for name, value in arguments.items():
        found.extend(_changes_of(record, name, value))
    return found


def unmatched(before: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that `changes` does not speak of: they say which record, or how.

    Between the two nothing an agent sent is hidden but fields that already have the value asked for.
    """
    record = _fields(before)
    return {
        name: value
        for name, value in arguments.items()
        if not _is_container(name, value) and not _changes_of(record, name, value)
    }


def leaves(arguments: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Path and value of each argument, and of each member of those that hold a record's fields."""
    for name, value in arguments.items():
        if _is_container(name, value):
            yield from (((name, str(inner)), deep) for inner, deep in value.items())
        else:
            yield (name,), value


def _changes_of(record: Mapping[str, Any], name: str, value: Any) -> list[Change]:
    pairs = (
        (field, record.get(_plain(field), ABSENT), new) for field, new in _candidates(record, name, value)
    )
    return [Change(field, old, new) for field, old, new in pairs if not _same(old, new)]


def _candidates(record: Mapping[str, Any], name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if _is_container(name, value):
        yield from value.items()
    elif _plain(name) in record:
        yield name, value


def _fields(before: Mapping[str, Any]) -> dict[str, Any]:
    """The record's fields by plain name; nested ones (`{"id": ..., "fields": {...}}`) count as the record's
    own.
    """
    flat = {_plain(name): value for name, value in before.items()}
    for name, value in before.items():
        if _is_container(name, value):
            flat.update({_plain(inner): deep for inner, deep in value.items()})
    return flat


def _same(old: Any, new: Any) -> bool:
    # True == 1 in Python, but not in a record.
    return old is not ABSENT and isinstance(old, bool) is isinstance(new, bool) and bool(old == new)


def _is_container(name: str, value: Any) -> bool:
    return name in CONTAINERS and isinstance(value, Mapping)


def _plain(name: Any) -> str:
    return str(name).replace("_", "").casefold()
