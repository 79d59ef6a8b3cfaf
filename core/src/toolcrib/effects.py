"""What a tool does to the world, and how that maps to MCP's tool annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

__all__ = ["EFFECTS", "USE", "Act", "Effect", "effect_of", "mcp_annotations"]

Effect: TypeAlias = Literal["read", "write", "send", "destructive"]
"""`read` changes nothing · `write` can be corrected later · `send` leaves the organisation · `destructive`
cannot be undone.
"""

EFFECTS: tuple[Effect, ...] = ("read", "write", "send", "destructive")

Act: TypeAlias = Literal["read", "write", "send", "destructive", "use"]
"""What stands in a policy row's act: an effect of a tool, or the use of a secret."""

USE: Final = "use"
"""The act on objects `secret:PACK.NAME`."""


def mcp_annotations(effect: Effect, *, idempotent: bool) -> dict[str, bool]:
    """The MCP tool annotations of an effect (MCP 2025-06-18, `ToolAnnotations`)."""
    return {
        "readOnlyHint": effect == "read",
        "destructiveHint": effect == "destructive",
        "idempotentHint": idempotent or effect == "read",
        "openWorldHint": effect == "send",
    }


def effect_of(annotations: Mapping[str, Any]) -> Effect:
    """The effect that MCP annotations claim; what is not said is taken at its worst, as MCP's own defaults
    do.
    """
    if annotations.get("readOnlyHint") is True:
        return "read"
    if annotations.get("destructiveHint", True) is not False:
        return "destructive"
    return "send" if annotations.get("openWorldHint", True) is not False else "write"
