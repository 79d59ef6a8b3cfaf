"""Tools: typed functions that an agent may ask for, and the toolkits that group them around one client."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import hashlib
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

import orjson

from toolcrib._arguments import Arguments
from toolcrib._nearest import did_you_mean
from toolcrib._schema import read_signature
from toolcrib.context import CallContext
from toolcrib.effects import EFFECTS, Effect
from toolcrib.errors import PackError
from toolcrib.sandboxed import Sandboxed

__all__ = [
    "Preview",
    "Sensitive",
    "Target",
    "Tool",
    "Toolkit",
    "declared_tool",
    "threads_idle",
    "tool",
    "tools_of",
]

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TIMEOUT = 60.0
"""Seconds that a tool may run unless it says otherwise."""


class Target:
    """Marks an argument that says where something goes: `to: Annotated[str, Target]`."""


class Sensitive:
    """Marks an argument that the audit log keeps only as an HMAC: `iban: Annotated[str, Sensitive]`."""


@dataclass(frozen=True, slots=True, init=False)
class Preview:
    """The read tool of the same pack that shows the record before it changes.

    `Preview("get_record", given={"object_type": "Opportunity"}, record_id="opportunity_id")` asks
    `get_record` with the constant `object_type` and with the call's `opportunity_id` as `record_id`.
    """

    tool: str
    given: Mapping[str, Any]
    mapping: Mapping[str, str]

    def __init__(self, tool: str, *, given: Mapping[str, Any] | None = None, **mapping: str) -> None:
        object.__setattr__(self, "tool", tool)
        object.__setattr__(self, "given", dict(given or {}))
        object.__setattr__(self, "mapping", mapping)

    def arguments(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """The preview tool's arguments, from the call's."""
        return {**self.given, **{name: call.get(source) for name, source in self.mapping.items()}}


@dataclass(frozen=True, slots=True)
class _Spec:
    """What `@tool` notes on a function."""

    name: str
    effect: Effect
    idempotent: bool
    preview: Preview | None
    labels: frozenset[str]
    timeout: float
    aliases: tuple[str, ...]
    sandbox: Sandboxed | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Tool:
    """A tool as the registry holds it; `name` is canonical (`crm.get_record`), `timeout` is in seconds.

    `targets` and `sensitive` are parameter names; `sandbox` says which are limits of the sandbox that its
    code runs in, None if it runs none. `takes_context` is False where `start` does not look at its context,
    so that none need be made. `fingerprint` is a SHA-256 over name, description, schema and effect: what the
    lock and an approval are bound to.
    """

    name: str
    description: str
    effect: Effect
    arguments: Arguments
    start: Callable[[Mapping[str, Any], CallContext], Awaitable[Any]]
    idempotent: bool = False
    preview: Preview | None = None
    labels: frozenset[str] = frozenset()
    targets: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    pack: str = "local"
    pack_version: str = ""
    aliases: tuple[str, ...] = ()
    sandbox: Sandboxed | None = None
    takes_context: bool = True
    wire_name: str = field(init=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise PackError(
                f"tool {self.name!r} has the effect {self.effect!r}",
                rule="an effect is read, write, send or destructive",
                remedy="Choose the worst that the tool can do",
            )
        object.__setattr__(self, "wire_name", self.name.removeprefix("local.").replace(".", "_"))
        shape = [self.name, self.description, self.arguments.schema, self.effect]
        object.__setattr__(
            self, "fingerprint", hashlib.sha256(orjson.dumps(shape, option=orjson.OPT_SORT_KEYS)).hexdigest()
        )

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return self.arguments.schema


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    *,
    effect: Effect = ...,
    name: str | None = ...,
    idempotent: bool = ...,
    preview: Preview | None = ...,
    labels: Iterable[str] = ...,
    timeout: float = ...,
    aliases: Iterable[str] = ...,
    sandbox: Sandboxed | None = ...,
) -> Callable[[F], F]: ...
def tool(
    function: F | None = None,
    /,
    *,
    effect: Effect = "destructive",
    name: str | None = None,
    idempotent: bool = False,
    preview: Preview | None = None,
    labels: Iterable[str] = (),
    timeout: float = DEFAULT_TIMEOUT,
    aliases: Iterable[str] = (),
    sandbox: Sandboxed | None = None,
) -> F | Callable[[F], F]:
    """Mark a function or a toolkit's method as a tool; the function itself stays as it is.

    Bare `@tool` says nothing about the effect, so the worst is assumed: `destructive`. `labels` are
    attached to what the tool returns (`untrusted` for anything outsiders can write), `timeout` is in
    seconds, `sandbox` says which arguments are limits of the sandbox.
    """

    def mark(target: F) -> F:
        given = name or target.__name__
        target.__toolcrib__ = _Spec(  # type: ignore[attr-defined]
            given, effect, idempotent, preview, frozenset(labels), timeout, tuple(aliases), sandbox
        )
        return target

    return mark(function) if function is not None else mark


class Toolkit:
    """Groups tools around one client: every method marked with `@tool` becomes a tool of the pack."""

    async def close(self) -> None:
        """Release what the toolkit holds; called once, when the crib closes."""


def tools_of(
    source: Toolkit | Callable[..., Any], *, pack: str = "local", pack_version: str = ""
) -> list[Tool]:
    """The tools of a toolkit, or the one tool that a marked function is.

    Raises `PackError` for a source without tools, or a tool whose signature has no schema.
    """
    functions = [source] if not isinstance(source, Toolkit) else _marked_methods(source)
    if not functions:
        raise PackError(
            f"{type(source).__name__} has no tools",
            rule="a toolkit has at least one method marked with @tool",
            remedy="Mark its methods with @tool(effect=...)",
        )
    return [_tool_from(function, pack, pack_version) for function in functions]


def _marked_methods(toolkit: Toolkit) -> list[Callable[..., Any]]:
    return [
        getattr(toolkit, name)
        for name, member in inspect.getmembers(type(toolkit))
        if hasattr(member, "__toolcrib__")
    ]


def _tool_from(function: Callable[..., Any], pack: str, pack_version: str) -> Tool:
    spec: _Spec | None = getattr(function, "__toolcrib__", None)
    if spec is None:
        name = getattr(function, "__name__", repr(function))
        raise PackError(
            f"{name!r} is not a tool",
            rule="a tool is marked with @tool, which says its effect",
            remedy="Mark it with @tool(effect=...), or use crib.adopt(function, effect=...)",
        )
    full_name = f"{pack}.{spec.name}"
    signature = read_signature(function, full_name, (Target, Sensitive))
    if not signature.description:
        raise PackError(
            f"tool {full_name!r} has no docstring",
            rule="a model chooses a tool by its description",
            remedy="Write a docstring that says what the caller gets",
        )
    _check_sandbox(full_name, spec.sandbox, signature.arguments.schema)
    return Tool(
        name=full_name,
        description=signature.description,
        effect=spec.effect,
        arguments=signature.arguments,
        start=_starter(function, signature.context),
        idempotent=spec.idempotent,
        preview=spec.preview,
        labels=spec.labels,
        targets=signature.marked[Target],
        sensitive=signature.marked[Sensitive],
        timeout=spec.timeout,
        pack=pack,
        pack_version=pack_version,
        aliases=tuple(f"{pack}.{alias}" for alias in spec.aliases),
        sandbox=spec.sandbox,
        takes_context=signature.context is not None,
    )


def _check_sandbox(name: str, sandbox: Sandboxed | None, schema: Mapping[str, Any]) -> None:
    unknown = sorted(set(sandbox.arguments.values() if sandbox else ()) - schema["properties"].keys())
    if unknown:
        raise PackError(
            f"tool {name!r} has no parameter {unknown[0]!r} that its sandbox is limited by",
            rule="Sandboxed(FIELD=PARAMETER) names parameters of the tool",
            remedy=did_you_mean(unknown[0], schema["properties"]),
        )


def declared_tool(
    name: str,
    *,
    description: str,
    schema: Mapping[str, Any],
    effect: Effect,
    call: Callable[[Mapping[str, Any]], Awaitable[Any]],
    idempotent: bool = False,
    labels: Iterable[str] = (),
) -> Tool:
    """A tool that brings its own JSON Schema (MCP, FunctionTool); `call` gets the checked arguments. It is
    `local.NAME`.
    """
    from toolcrib._arguments import DeclaredArguments

    return Tool(
        name=f"local.{name}",
        description=description,
        effect=effect,
        arguments=DeclaredArguments(schema),
        start=lambda values, context: call(values),
        idempotent=idempotent,
        labels=frozenset(labels),
        takes_context=False,
    )


def _starter(
    function: Callable[..., Any], context: str | None
) -> Callable[[Mapping[str, Any], CallContext], Awaitable[Any]]:
    """How to start the function: async ones at once, sync ones in a worker thread, so that none blocks the
    event loop.
    """
    call = function if inspect.iscoroutinefunction(function) else functools.partial(_in_thread, function)
    if context is None:
        return lambda values, _: call(**values)
    return lambda values, given: call(**values, **{context: given})


MOST_THREADS = 128
"""Sync tools that may run at once; a tool that hangs keeps its thread until it returns."""


@functools.cache
def _tool_threads() -> ThreadPoolExecutor:
    """Threads for tools alone: hung ones in asyncio's shared pool would hold up secrets and approvals."""
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="toolcrib-tool")


async def threads_idle(patience: float) -> bool:
    """Return when no thread works on a tool any more, as one of a cancelled call may; False if one still does
    after `patience` seconds. For whoever tears down what tools work on.
    """
    if not _tool_threads.cache_info().currsize:
        return True
    # All threads of the pool meet, which none can while it has other work.
    meeting = threading.Barrier(MOST_THREADS, timeout=patience)
    loop, threads = asyncio.get_running_loop(), _tool_threads()
    try:
        await asyncio.gather(*(loop.run_in_executor(threads, meeting.wait) for _ in range(MOST_THREADS)))
    except threading.BrokenBarrierError:
        return False
    return True


async def _in_thread(function: Callable[..., Any], /, **values: Any) -> Any:
    call = functools.partial(contextvars.copy_context().run, _contained, function, **values)
    return await asyncio.get_running_loop().run_in_executor(_tool_threads(), call)


def _contained(function: Callable[..., Any], /, **values: Any) -> Any:
    """Call a sync function; what no future can carry (its caller would wait for ever) is RuntimeError."""
    try:
        return function(**values)
    except (StopIteration, GeneratorExit) as error:
        raise RuntimeError(f"the tool raised {type(error).__name__}: {error}") from error
