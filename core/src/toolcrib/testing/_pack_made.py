"""Arguments that only the pack knows: the id that a write gave is what a read wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Made", "Unmade", "filled", "wanted"]


@dataclass(frozen=True, slots=True)
class Made:
    """Stands in a good call for what another tool's first good call gave: `Made("draft", "draft_id")`.

    `place` leads into the result, keys and positions with dots between (`companies.0.id`); empty: all of it.
    """

    tool: str
    place: str = ""

    def found_in(self, result: Any) -> Any:
        """What stands at `place`; `Unmade` where there is nothing."""
        for step in self.place.split(".") if self.place else ():
            try:
                result = result[int(step)] if isinstance(result, list) else result[step]
            except (LookupError, TypeError, ValueError):
                raise Unmade(f"its good call gives no {self.place!r}, which {self!r} wants") from None
        return result


class Unmade(Exception):
    """What a good call wants of another cannot be had."""


def wanted(given: Any) -> list[Made]:
    """All that stands in arguments for what others make."""
    if isinstance(given, Made):
        return [given]
    if isinstance(given, Mapping):
        given = list(given.values())
    return [each for value in given for each in wanted(value)] if isinstance(given, list | tuple) else []


def filled(given: Any, results: Mapping[str, Any]) -> Any:
    """The same arguments with what the others made in its places; `results` are theirs by tool."""
    if isinstance(given, Made):
        return given.found_in(results[given.tool])
    if isinstance(given, Mapping):
        return {name: filled(value, results) for name, value in given.items()}
    return [filled(value, results) for value in given] if isinstance(given, list | tuple) else given
