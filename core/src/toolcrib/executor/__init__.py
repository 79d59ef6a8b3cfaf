"""The way of one call: `ToolExecutor.execute` is the only way to a tool, whichever adapter asked."""

from toolcrib.executor._executor import ToolExecutor

__all__ = ["ToolExecutor"]
