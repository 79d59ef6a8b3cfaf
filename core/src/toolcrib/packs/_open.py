"""Import one pack and take what its hooks give, all or nothing.

Each pack has a plugin manager of its own. So a hook gets only its own pack's config, a wrapper can wrap
nobody else, and a pack that fails half-way leaves nothing registered.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from toolcrib import hookspecs
from toolcrib._nearest import did_you_mean
from toolcrib.errors import PackError, ToolcribError
from toolcrib.hookspecs import PACK_API, PackConfig, Workflow
from toolcrib.packs._discover import GROUP, Found

if TYPE_CHECKING:
    from toolcrib.registry import Registry
    from toolcrib.tools import Tool, Toolkit

__all__ = ["HOOKS", "Contributions", "blamed", "open_pack"]

HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("toolcrib_"))


@dataclass(frozen=True, slots=True)
class Contributions:
    """What one pack gives; `hooks` are the names of the hooks that it implements."""

    hooks: tuple[str, ...] = ()
    toolkits: tuple[Toolkit, ...] = ()
    tools: tuple[Tool, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    secret_providers: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    sandboxes: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    approval_channels: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    audit_sinks: tuple[Callable[[Mapping[str, Any]], None], ...] = ()

    def names(self) -> list[tuple[str, str]]:
        """What must be unique over all packs, as (kind, name); tools are judged by the registry."""
        kinds = {
            "workflow": [job.name for job in self.workflows],
            "secret provider": self.secret_providers,
            "sandbox": self.sandboxes,
            "approval channel": self.approval_channels,
        }
        return [(kind, name) for kind, names in kinds.items() for name in names]


def open_pack(found: Found, config: PackConfig, permitted: frozenset[str] | None = None) -> Contributions:
    """Import the pack, check it, call its hooks and build its tools.

    `permitted` are the hooks that it was locked with, None for any. Raises `PackError` for whatever goes
    wrong, also for SystemExit and other exceptions that are no Exception; only Ctrl-C goes through.
    """
    plugin = _import(found)
    _check_api(found, plugin)
    manager = _register(found, plugin)
    hooks = {hook.name: hook for hook in manager.get_hookcallers(plugin) or ()}
    _check_permitted(found, hooks, permitted)
    given = {name: _call(found, hook, config) for name, hook in sorted(hooks.items())}
    return _contributions(found, given)


def _import(found: Found) -> object:
    from importlib.metadata import EntryPoint

    with blamed(found, f"fails to import {found.module!r}"):
        return EntryPoint(found.name, found.module, GROUP).load()


def _check_api(found: Found, plugin: object) -> None:
    with blamed(found, "does not say its PACK_API"):
        api = getattr(plugin, "PACK_API", None)
    if type(api) is not int or api != PACK_API:
        raise PackError(
            f"pack {found.name!r} is written for pack API {api!r:.40}",
            rule=f"this toolcrib has pack API {PACK_API}; a pack's module says PACK_API = {PACK_API}",
            remedy=f"Install a version of {found.distribution} for this toolcrib",
        )


def _register(found: Found, plugin: object) -> pluggy.PluginManager:
    manager = pluggy.PluginManager("toolcrib")
    manager.add_hookspecs(hookspecs)
    with blamed(found, "breaks the pack API"):
        _check_names(found, plugin)
        manager.register(plugin, name=found.name)
        if not manager.get_hookcallers(plugin):
            raise _breach(found, "implements no hook", "Mark its hooks with @hookimpl of toolcrib.hookspecs")
    return manager


def _check_names(found: Found, plugin: object) -> None:
    """pluggy lets a misspelt hook pass, and one without the marker: both would silently do nothing."""
    marker = hookspecs.hookimpl.project_name + "_impl"
    for name, function in inspect.getmembers_static(plugin, inspect.isroutine):
        options = getattr(function, marker, None)
        own = getattr(function, "__module__", None) == getattr(plugin, "__name__", None)
        if options is None and not (own and name.startswith("toolcrib_")):
            continue
        hook = (options or {}).get("specname") or name
        if hook not in HOOKS:
            raise _breach(found, f"implements the unknown hook {hook!r}", did_you_mean(hook, HOOKS))
        if options is None:
            raise _breach(found, f"has {name!r} without @hookimpl", "Mark it with @hookimpl")
        if options["wrapper"] or options["hookwrapper"]:
            raise _breach(found, f"wraps {hook!r}", "Implement the hook without wrapper=True")


def _check_permitted(found: Found, hooks: Mapping[str, Any], permitted: frozenset[str] | None) -> None:
    surplus = sorted(set(hooks) - permitted) if permitted is not None else []
    if surplus:
        raise PackError(
            f"pack {found.name!r} implements {', '.join(surplus)}",
            rule=f"it was locked with {', '.join(sorted(permitted or ())) or 'no hook'}",
            remedy=f"Look at it and lock it again: `toolcrib packs lock {found.name}`",
        )


def _call(found: Found, hook: pluggy.HookCaller, config: PackConfig) -> list[Any]:
    """What the pack's implementations of one hook return: one of each."""
    arguments = {"config": config} if "config" in hook.spec.argnames else {}  # type: ignore[union-attr]
    with blamed(found, f"fails in {hook.name}({', '.join(arguments)})"):
        results: list[Any] = hook(**arguments)
    if len(results) != len(hook.get_hookimpls()):  # pluggy drops None
        raise _wrong(found, hook.name, None)
    return results


def _contributions(found: Found, given: Mapping[str, list[Any]]) -> Contributions:
    from toolcrib.tools import Toolkit

    toolkits = _items(found, given, "toolcrib_toolkits", lambda item: isinstance(item, Toolkit))
    with blamed(found, "has a broken tool"):
        tools = _tools(found, toolkits)
    return Contributions(
        hooks=tuple(given),
        toolkits=toolkits,
        tools=tools,
        workflows=_items(found, given, "toolcrib_workflows", lambda item: isinstance(item, Workflow)),
        secret_providers=_named(found, given, "toolcrib_secret_providers"),
        sandboxes=_named(found, given, "toolcrib_sandboxes"),
        approval_channels=_named(found, given, "toolcrib_approval_channels"),
        audit_sinks=_items(found, given, "toolcrib_audit_sinks", callable),
    )


def _tools(found: Found, toolkits: tuple[Toolkit, ...]) -> tuple[Tool, ...]:
    from toolcrib.registry import Registry
    from toolcrib.tools import tools_of

    tools = [
        tool
        for toolkit in toolkits
        for tool in tools_of(toolkit, pack=found.name, pack_version=found.version)
    ]
    registry = Registry()
    registry.add(tools)  # names and duplicates are judged once, by the one who knows the rules
    for tool in tools:
        _check_preview(tool, registry)
    return tuple(tools)


def _check_preview(tool: Tool, registry: Registry) -> None:
    """A preview that cannot be asked for would only show when a call is denied for it."""
    if tool.preview is None:
        return
    name, asked = f"{tool.pack}.{tool.preview.tool}", registry.find(f"{tool.pack}.{tool.preview.tool}")
    rule = "a preview is a read tool of the same pack, and is given its own parameters from the call's"
    if asked is None or asked.effect != "read":
        reads = [each.name for each in registry if each.effect == "read"]
        what = f"{tool.name!r} names the preview {name!r}, which is not a read tool of its pack"
        raise PackError(what, rule=rule, remedy=did_you_mean(name, reads))
    taken = {*tool.preview.given, *tool.preview.mapping}
    for of, used in ((asked, taken), (tool, set(tool.preview.mapping.values()))):
        known = of.schema.get("properties", {})
        if surplus := sorted(used - known.keys()):
            what = f"the preview of {tool.name!r} uses {surplus[0]!r}, which is no parameter of {of.name!r}"
            raise PackError(what, rule=rule, remedy=did_you_mean(surplus[0], known))


def _items(
    found: Found, given: Mapping[str, list[Any]], hook: str, fits: Callable[[Any], bool]
) -> tuple[Any, ...]:
    for result in given.get(hook, ()):
        if not isinstance(result, list | tuple) or not all(fits(item) for item in result):
            raise _wrong(found, hook, result)
    return tuple(item for result in given.get(hook, ()) for item in result)


def _named(found: Found, given: Mapping[str, list[Any]], hook: str) -> dict[str, Callable[..., Any]]:
    named: dict[str, Callable[..., Any]] = {}
    for result in given.get(hook, ()):
        if not isinstance(result, Mapping) or not all(
            isinstance(name, str) and callable(made) for name, made in result.items()
        ):
            raise _wrong(found, hook, result)
        named.update(result)
    return named


def _wrong(found: Found, hook: str, result: object) -> PackError:
    signature = inspect.signature(getattr(hookspecs, hook))
    kind = type(result).__name__
    if isinstance(result, list | tuple):
        kind += " of " + (", ".join(sorted({type(item).__name__ for item in result})) or "nothing")
    return _breach(found, f"returns {kind} from {hook}", f"Return what the hook says: {hook}{signature}")


def _breach(found: Found, what: str, remedy: str) -> PackError:
    rule = f"pack API {PACK_API}, `toolcrib.hookspecs`"
    return PackError(f"pack {found.name!r} {what}", rule=rule, remedy=remedy)


@contextmanager
def blamed(found: Found, doing: str) -> Iterator[None]:
    """Turn whatever a pack raises into a `PackError` that names the pack, what it did, and the place."""
    try:
        yield
    except (PackError, KeyboardInterrupt):
        raise
    except ToolcribError as error:
        what = f"pack {found.name!r} {doing}: {error.what}"
        raise PackError(what, rule=error.rule, remedy=error.remedy) from error
    except BaseException as error:  # a pack may well call sys.exit() when it is imported
        raise PackError(
            f"pack {found.name!r} {doing}: {_told(error)}",
            rule="a pack that fails is left out whole",
            remedy=f"Mend or update {found.distribution} {found.version}",
        ) from error


def _told(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "(its message cannot be read)"
    frames = traceback.extract_tb(error.__traceback__)
    place = (
        "" if isinstance(error, SyntaxError) else f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"
    )
    return f"{type(error).__name__}: {text[:400]}{place}"
