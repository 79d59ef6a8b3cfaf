"""Which tools there are, by canonical name, by wire name and by alias."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator

from toolcrib._nearest import did_you_mean, nearest
from toolcrib.errors import PackError, UnknownTool
from toolcrib.tools import Tool

__all__ = ["Registry"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\.[A-Za-z0-9_-]+")
MAX_WIRE = 64
"""Longest tool name that model APIs accept."""


class Registry:
    """The tools of a crib. Adding and removing is atomic and safe from any thread; readers see whole
    snapshots.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tools: dict[str, Tool] = {}
        self._by_name: dict[str, Tool] = {}
        self.version = 0
        """Grows with every change, so that whoever caches schemas knows when to look again."""

    def add(self, tools: Iterable[Tool]) -> None:
        """Add all of `tools` or, if one of them breaks a rule, none (`PackError`)."""
        with self._lock:
            known, by_name = dict(self._tools), dict(self._by_name)
            for tool in tools:
                _check_name(tool)
                for name in dict.fromkeys(
                    (tool.name, tool.wire_name, *tool.aliases, *map(_wire, tool.aliases))
                ):
                    _check_free(tool, name, by_name.get(name))
                    by_name[name] = tool
                known[tool.name] = tool
            self._swap(known, by_name)

    def remove(self, name: str) -> Tool:
        """Take a tool out by any of its names; a call that already runs goes on. Raises `UnknownTool`."""
        with self._lock:
            tool = self.get(name)
            by_name = {key: value for key, value in self._by_name.items() if value is not tool}
            known = {key: value for key, value in self._tools.items() if value is not tool}
            self._swap(known, by_name)
            return tool

    def _swap(self, tools: dict[str, Tool], by_name: dict[str, Tool]) -> None:
        self._tools, self._by_name = tools, by_name
        self.version += 1

    def find(self, name: str) -> Tool | None:
        """The tool of this canonical name, wire name or alias, or None."""
        return self._by_name.get(name)

    def get(self, name: str) -> Tool:
        """The tool of this canonical name, wire name or alias; raises `UnknownTool`."""
        tool = self._by_name.get(name)
        if tool is None:
            raise UnknownTool(
                f"there is no tool {name[:80]!r}",
                rule="a call names an installed tool",
                remedy=did_you_mean(name[:80], self._tools),
            )
        return tool

    def nearest(self, name: str) -> str | None:
        """The canonical name most like `name`."""
        return nearest(name, self._tools)

    def __iter__(self) -> Iterator[Tool]:
        return iter(list(self._tools.values()))

    def __len__(self) -> int:
        return len(self._tools)


def _wire(name: str) -> str:
    return name.removeprefix("local.").replace(".", "_")


def _check_name(tool: Tool) -> None:
    if not _NAME.fullmatch(tool.name) or len(tool.wire_name) > MAX_WIRE:
        raise PackError(
            f"tool name {tool.name!r} cannot be offered to models",
            rule=f"a name is pack.tool: letters, digits, _ and -, at most {MAX_WIRE} on the wire",
            remedy="Rename the tool; keep the old name as an alias if it is used",
        )


def _check_free(tool: Tool, name: str, holder: Tool | None) -> None:
    if holder is None or holder is tool:
        return
    clash = (
        "is registered twice" if holder.name == tool.name else f"collides with {holder.name!r} as {name!r}"
    )
    raise PackError(
        f"tool {tool.name!r} {clash}",
        rule="canonical names, wire names (`.` becomes `_`) and aliases are unique; the first keeps the name",
        remedy="Rename or remove one of the two",
    )
