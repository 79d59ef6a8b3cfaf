"""Toolcrib: the governed layer between AI agents and their tools."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolcrib.calls import ToolCall, ToolResult
    from toolcrib.context import CallContext
    from toolcrib.crib import Crib
    from toolcrib.decisions import Decision, Row
    from toolcrib.errors import ToolcribError
    from toolcrib.principal import Principal
    from toolcrib.tools import Preview, Sensitive, Target, Tool, Toolkit, tool

__all__ = [
    "CallContext",
    "Crib",
    "Decision",
    "Preview",
    "Principal",
    "Row",
    "Sensitive",
    "Target",
    "Tool",
    "ToolCall",
    "ToolResult",
    "ToolcribError",
    "Toolkit",
    "tool",
]

_HOMES = {"CallContext": "context", "Crib": "crib", "Principal": "principal", "ToolcribError": "errors"}
_HOMES |= dict.fromkeys(("ToolCall", "ToolResult"), "calls") | dict.fromkeys(("Decision", "Row"), "decisions")


def __getattr__(name: str) -> Any:
    if name not in __all__:  # lazy, so that `toolcrib --help` pays for nothing that it does not use
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'tools')}"), name)
