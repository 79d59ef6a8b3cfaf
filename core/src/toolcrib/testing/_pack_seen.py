"""What a read's result shows: a check of reads proves nothing where there was nothing to be seen."""

from __future__ import annotations

from typing import Any

from toolcrib.tools import Tool

__all__ = ["is_list", "limit_of", "page_of", "rows_of", "shows_something"]

_LIMITS = ("limit", "max_results", "max_items", "max_rows", "page_size", "per_page", "top", "count", "size")
_PAGES = {"page": (1, 2), "offset": (0, 1), "skip": (0, 1)}
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def limit_of(tool: Tool) -> str | None:
    """The parameter that says how many rows may come; None where there is none."""
    return next((name for name in _LIMITS if name in tool.schema.get("properties", {})), None)


def page_of(tool: Tool) -> tuple[str, int, int] | None:
    """The parameter that says which rows come, with its value for the first and the second row where one is
    asked for at a time.
    """
    for name, (first, second) in _PAGES.items():
        if name in tool.schema.get("properties", {}):
            return name, first, second
    return None


def rows_of(value: Any) -> list[Any]:
    """Rows of a result: the longest list in it or right below it, of records if there is such a one; lists
    inside a row are not rows.
    """
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        return max([item for item in lists if _has_records(item)] or lists, key=len, default=[])
    return value if isinstance(value, list) else []


def is_list(value: Any) -> bool:
    """Whether a result is a list, or a page of one: records, beside them at most numbers."""
    if isinstance(value, dict):
        rest = [item for item in value.values() if not _has_records(item)]
        return len(rest) < len(value) and all(item is None or isinstance(item, int | float) for item in rest)
    return isinstance(value, list)


def _has_records(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and isinstance(item[0], dict | list)


def shows_something(tool: Tool, value: Any) -> bool:
    """Whether a record or a row is in the result; an empty list with at most numbers beside it is none."""
    if limit_of(tool) is not None:
        return bool(rows_of(value))
    if not isinstance(value, dict):
        return value not in _NOTHING
    told = [item for item in value.values() if item not in _NOTHING]
    return any(not isinstance(item, int | float) for item in told) if [] in value.values() else bool(told)
