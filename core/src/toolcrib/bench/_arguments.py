"""What a question or a case gives as a tool's arguments, held against the tool's schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from toolcrib.bench._known_tools import KnownTool

__all__ = ["defaults", "missing", "unknown"]

_OPEN = ("patternProperties", "$ref", "allOf", "anyOf", "oneOf")
"""What a schema may take arguments by, besides the properties that it lists."""


def unknown(tool: KnownTool, given: Iterable[str]) -> tuple[str, tuple[str, ...]] | None:
    """The first argument that the tool has not, and those that it has; None where nobody can say.

    A condition on the right argument would be asked about a call that never had it: a misspelling would get
    an answer, and a wrong one.
    """
    schema = tool.schema
    if schema is None or schema.get("additionalProperties") or any(key in schema for key in _OPEN):
        return None
    names = tuple(schema.get("properties") or ())
    if not names and schema.get("additionalProperties") is not False:
        return None
    return next(((name, names) for name in given if name not in names), None)


def defaults(tool: KnownTool) -> Mapping[str, Any]:
    """What policy sees of arguments that a call leaves out."""
    if not tool.fills:
        return {}
    properties = (tool.schema or {}).get("properties") or {}
    return {name: one["default"] for name, one in properties.items() if "default" in one}


def missing(tool: KnownTool, given: Iterable[str]) -> list[str]:
    """The arguments that the tool requires and that are not there."""
    there = frozenset(given)
    return [name for name in (tool.schema or {}).get("required") or () if name not in there]
