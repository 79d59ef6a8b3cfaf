"""Tools as lint and tables know them: what policy sees, and their arguments where these are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from toolcrib.bench.tools import NamedTool
from toolcrib.effects import Act
from toolcrib.policy import Governed
from toolcrib.sandboxed import Sandboxed

__all__ = ["KnownTool", "fills_defaults", "known_tools"]


@dataclass(frozen=True, slots=True)
class KnownTool:
    """One tool. `schema` (JSON Schema of the arguments) and `has_preview` are None where nobody knows.

    `fills` is True where arguments that were left out get their defaults before policy sees them, as those
    of Python-typed tools do. Whether a `listed` tool, which is not at hand, has a sandbox nobody knows.
    """

    name: str
    effect: Act
    labels: frozenset[str] = frozenset()
    idempotent: bool = False
    schema: Mapping[str, Any] | None = None
    has_preview: bool | None = None
    fills: bool = True
    aliases: tuple[str, ...] = ()
    sandbox: Sandboxed | None = None
    listed: bool = False

    @property
    def pack(self) -> str:
        """The first segment of the name."""
        return self.name.partition(".")[0]


def known_tools(tools: Iterable[Governed]) -> list[KnownTool]:
    """What these tools (`toolcrib.tools.Tool`, or anything that policy can decide about) tell."""
    return [one if isinstance(one, KnownTool) else _known(one) for one in tools]


def _known(tool: Governed) -> KnownTool:
    listed = isinstance(tool, NamedTool)
    if isinstance(tool, NamedTool):
        has_preview = tool.has_preview
    else:
        has_preview = tool.preview is not None if hasattr(tool, "preview") else None
    return KnownTool(
        tool.name,
        tool.effect,
        frozenset(tool.labels),
        tool.idempotent,
        getattr(tool, "schema", None),
        has_preview,
        tool.fills_defaults if isinstance(tool, NamedTool) else fills_defaults(tool),
        tuple(getattr(tool, "aliases", ())),
        getattr(tool, "sandbox", None),
        listed,
    )


def fills_defaults(tool: Governed) -> bool:
    """Whether arguments that were left out get their defaults before policy sees them."""
    return type(getattr(tool, "arguments", None)).__name__ != "DeclaredArguments"
