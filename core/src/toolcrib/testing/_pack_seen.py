"""What a read's result shows: a check of reads proves nothing where there was nothing to be seen."""

from __future__ import annotations

from typing import Any

from toolcrib.tools import Tool

__all__ = ["is_list", "least_of", "limit_of", "rows_of", "shows_something", "turn_of"]

_LIMITS = ("limit", "max_results", "max_items", "max_rows", "page_size", "per_page", "top", "count", "size")
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def limit_of(tool: Tool) -> str | None:
    """The parameter that says how many rows may come; None where there is none."""
    return next((name for name in _LIMITS if _is_number(_parameter(tool, name))), None)


def least_of(tool: Tool, name: str) -> int:
    """The least that a limit may be, 1 where its schema does not say."""
    return max(1, int(_parameter(tool, name).get("minimum", 1)))


def turn_of(tool: Tool, rows: int) -> tuple[str, int, int] | None:
    """The parameter that says which rows come, with its values for the first and for the second `rows`."""
    page = _parameter(tool, "page")
    if _is_number(page):
        first = int(page.get("minimum", 1))
        return "page", first, first + 1
    name = next((name for name in ("offset", "skip") if _is_number(_parameter(tool, name))), None)
    return (name, 0, rows) if name else None


def _parameter(tool: Tool, name: str) -> dict[str, Any]:
    found: dict[str, Any] = tool.schema.get("properties", {}).get(name, {})
    return next((kind for kind in (found, *found.get("anyOf", ())) if _is_number(kind)), found)


def _is_number(parameter: dict[str, Any]) -> bool:
    return parameter.get("type") == "integer"


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
