"""Which arguments a call of a tool can have, and which it can lack, as far as the tool's schema tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolcrib.bench._known_tools import KnownTool

__all__ = ["known_names", "may_have", "may_lack"]


def may_have(tool: KnownTool, names: Sequence[str], *, is_closed: bool = False) -> bool:
    """Whether some call of the tool can have a value at this path below `args`; True where nobody knows.

    A record inside a Python-typed argument keeps its declared fields only, though its schema does not say
    so. With `is_closed` that is believed; it can be wrong for a type that writes itself in its own way.
    """
    schema = tool.schema
    if schema is None:
        return True
    is_typed = tool.fills and schema.get("additionalProperties") is False
    return _Places(schema, is_closed=is_closed and is_typed).hold(schema, tuple(names))


def known_names(tool: KnownTool, names: Sequence[str]) -> set[str]:
    """The names that the tool's schema lists below a path."""
    places: list[Any] = [tool.schema or {}]
    for name in names:
        places = [shape["properties"][name] for shape in _all_shapes(places, tool)
                  if name in shape.get("properties", {})]  # fmt: skip
    return {name for shape in _all_shapes(places, tool) for name in shape.get("properties", {})}


def _all_shapes(places: Sequence[Any], tool: KnownTool) -> list[Mapping[str, Any]]:
    return [shape for place in places for shape in _shapes(place, tool.schema or {})]


class _Places:
    """Places of one schema, and whether values there can have a path below them.

    A schema may come from a stranger and refer to itself, so that each place is looked at once for each
    length of path; while it is looked at, it may have everything.
    """

    def __init__(self, schema: Mapping[str, Any], *, is_closed: bool) -> None:
        self._schema, self._is_closed = schema, is_closed
        self._known: dict[tuple[int, int], bool] = {}

    def hold(self, place: Any, names: tuple[str, ...]) -> bool:
        if not isinstance(place, Mapping) or not names:
            return place is not False
        key = (id(place), len(names))
        if key not in self._known:
            self._known[key] = True
            self._known[key] = self._look(place, names)
        return self._known[key]

    def _look(self, place: Mapping[str, Any], names: tuple[str, ...]) -> bool:
        if "$ref" in place and not self.hold(_target(place["$ref"], self._schema), names):
            return False
        for key in ("anyOf", "oneOf"):
            if place.get(key) and not any(self.hold(one, names) for one in place[key]):
                return False
        return self._own(place, names) and all(self.hold(one, names) for one in place.get("allOf", ()))

    def _own(self, place: Mapping[str, Any], names: tuple[str, ...]) -> bool:
        """What the place says itself, without what it refers to."""
        kind, listed = place.get("type", "object"), place.get("properties", {})
        if "object" not in ([kind] if isinstance(kind, str) else kind):
            return False
        if names[0] in listed:
            return self.hold(listed[names[0]], names[1:])
        if place.get("patternProperties"):
            return True  # a stranger's pattern is not run
        if "additionalProperties" in place:
            return self.hold(place["additionalProperties"], names[1:])
        return not (listed and self._is_closed)


def may_lack(tool: KnownTool, names: Sequence[str], *, bears_null: bool) -> bool:
    """Whether a call of the tool can lack an argument, or (`bears_null` is False) have null there."""
    if tool.schema is None:
        return False
    place: Any = tool.schema
    for index, name in enumerate(names):
        shapes = list(_shapes(place, tool.schema))
        found = [shape["properties"][name] for shape in shapes if name in shape.get("properties", {})]
        if not found:
            return True
        is_given = any(name in shape.get("required", ()) for shape in shapes)
        # Only the outermost arguments of Python-typed tools surely get their defaults before policy looks.
        if not is_given and not (tool.fills and (index == 0 or "default" in found[0])):
            return True
        strict = not bears_null or index < len(names) - 1
        if strict and _may_be_null(found[0], tool.schema, is_given=is_given):
            return True
        place = found[0]
    return False


def _shapes(place: Any, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a place of a JSON Schema says, with references and alternatives followed, each once."""
    todo, seen = [place], set()
    while todo:
        one = todo.pop()
        if not isinstance(one, Mapping) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        below = [each for key in ("anyOf", "oneOf", "allOf") for each in one.get(key, ())]
        todo += reversed([_target(one.get("$ref"), schema), *below])


def _target(reference: Any, schema: Mapping[str, Any]) -> Any:
    """What a reference within a schema leads to; None for any other."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    target: Any = schema
    for step in reference[1:].split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        target = target.get(step) if isinstance(target, Mapping) else None
    return target if reference == "#" or "/" in reference else None  # "#name" is an anchor


def _may_be_null(place: Any, schema: Mapping[str, Any], *, is_given: bool) -> bool:
    for shape in _shapes(place, schema):
        kind = shape.get("type")
        if kind == "null" or (isinstance(kind, list) and "null" in kind):
            return True
    return not is_given and isinstance(place, Mapping) and place.get("default") is None
