"""Tools that a builder already has: plain functions, AutoGen FunctionTools, MCP tools.

They are told apart by their shape, so that core needs none of these frameworks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from toolcrib.effects import Effect, effect_of
from toolcrib.errors import PackError
from toolcrib.tools import Tool, declared_tool, tool, tools_of

__all__ = ["adopted"]


def adopted(
    source: Any,
    *,
    effect: Effect | None,
    name: str | None,
    idempotent: bool,
    labels: Iterable[str],
    call: Callable[..., Any] | None,
) -> Tool:
    """`source` as a tool `local.NAME`; raises `PackError` if its effect is not said or its shape unknown."""
    if effect is None:
        called = getattr(source, "name", getattr(source, "__name__", source))
        raise PackError(
            f"{called!r} has no effect{_claimed(source)}",
            rule="whoever adopts a tool says what it does to the world; a server's hints are claims",
            remedy='Pass effect="read", "write", "send" or "destructive"',
        )
    if hasattr(source, "inputSchema"):
        return _from_mcp(source, effect, name, idempotent, labels, call)
    if hasattr(source, "run_json"):
        from toolcrib.adapters.agentchat import run_function_tool

        return declared_tool(
            name or source.name,
            description=source.description,
            schema=source.schema["parameters"],
            effect=effect,
            call=lambda values: run_function_tool(source, values),
            idempotent=idempotent,
            labels=labels,
        )
    if callable(source):
        return _from_function(source, effect, name, idempotent, labels)
    raise PackError(
        f"{type(source).__name__} cannot be adopted",
        rule="a function, a FunctionTool (run_json) or an MCP tool (inputSchema) can",
        remedy="Wrap it in a function",
    )


def _from_function(
    source: Callable[..., Any], effect: Effect, name: str | None, idempotent: bool, labels: Iterable[str]
) -> Tool:
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        return await source(*args, **kwargs)

    def run_sync(*args: Any, **kwargs: Any) -> Any:
        return source(*args, **kwargs)

    # Marked on a wrapper: the builder's own function stays as it is.
    wrapper: Any = run_async if inspect.iscoroutinefunction(source) else run_sync
    wrapper.__wrapped__ = source
    wrapper.__name__ = getattr(source, "__name__", "tool")
    wrapper.__doc__ = source.__doc__
    wrapper.__signature__ = inspect.signature(source)
    marked = tool(effect=effect, name=name, idempotent=idempotent, labels=labels)(wrapper)
    return tools_of(marked)[0]


def _claimed(source: Any) -> str:
    """What an MCP server says of its tool, as a word for the error message."""
    annotations = getattr(source, "annotations", None)
    if not hasattr(source, "inputSchema") or annotations is None:
        return ""
    hints = annotations if isinstance(annotations, Mapping) else annotations.model_dump()
    return f" (its server claims {effect_of(hints)})"


def _from_mcp(
    source: Any,
    effect: Effect,
    name: str | None,
    idempotent: bool,
    labels: Iterable[str],
    call: Callable[..., Any] | None,
) -> Tool:
    if call is None:
        raise PackError(
            f"MCP tool {source.name!r} cannot be reached",
            rule="an MCP tool is called through its session",
            remedy="Pass call=session.call_tool",
        )

    async def reach(values: Mapping[str, Any]) -> Any:
        reply = await call(source.name, dict(values))
        return _mcp_value(reply)

    return declared_tool(
        name or source.name,
        description=source.description or source.name,
        schema=source.inputSchema,
        effect=effect,
        call=reach,
        idempotent=idempotent,
        labels=labels,
    )


def _mcp_value(reply: Any) -> Any:
    """The structured content of an MCP reply, else its texts; an error reply raises."""
    texts = [part.text for part in getattr(reply, "content", ()) if getattr(part, "text", None) is not None]
    if getattr(reply, "isError", False):
        raise RuntimeError("\n".join(texts) or "the MCP server reports an error")
    structured = getattr(reply, "structuredContent", None)
    return structured if structured is not None else "\n".join(texts)
