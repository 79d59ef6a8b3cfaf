"""Toolcrib: the governed layer between AI agents and their tools."""

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
