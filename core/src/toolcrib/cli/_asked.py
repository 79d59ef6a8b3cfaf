"""The call that `toolcrib policy explain` is asked about: a tool, and arguments that the tool can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click

from toolcrib.effects import USE
from toolcrib.errors import PolicyError, ToolcribError, UnknownTool

if TYPE_CHECKING:
    from toolcrib.bench._known_tools import KnownTool
    from toolcrib.effects import Effect
    from toolcrib.policy import Explanation

__all__ = ["Desk", "asked_tool", "check_told", "told_arguments", "told_notes"]


class Desk(Protocol):
    """What has the installed tools."""

    def crib(self) -> Any:
        """The crib, assembled now."""


def asked_tool(desk: Desk, name: str, effect: Effect | None) -> KnownTool:
    """The installed tool, or by its effect one that is not; a secret as `secret:PACK.NAME`.

    Raises `PolicyError` where the effect is not known, `UsageError` where it is not the tool's own.
    """
    from toolcrib.bench._known_tools import KnownTool, known_tools
    from toolcrib.policy._facts import SECRET

    if name.startswith(SECRET):
        return KnownTool(name, USE, has_preview=False)
    found = _installed(desk, name, effect)
    if found is None:
        assert effect is not None
        return KnownTool(name, effect, has_preview=True)  # it might have one
    if effect not in (None, found.effect):
        raise click.UsageError(
            f"{found.name} is installed, and its effect is {found.effect}, not {effect}: "
            "rows are chosen by the tool's own effect. Leave --effect out"
        )
    (tool,) = known_tools([found])
    return tool


def _installed(desk: Desk, name: str, effect: Effect | None) -> Any:
    """The installed tool, None where `effect` stands in for it."""
    try:
        return desk.crib().registry.get(name)
    except UnknownTool as error:
        if effect is None:
            raise PolicyError(
                f"no tool {name!r} is installed, so its effect is not known",
                rule="rows are chosen by the tool's effect",
                remedy=f"Name it with --effect read|write|send|destructive. {error.remedy}",
            ) from error
    except ToolcribError as error:
        if effect is None:
            raise
        # A policy can be asked about without its packs; that nothing was held against them must be said.
        click.echo(f"The packs are left out: {error}", err=True)
    return None


def told_arguments(tool: KnownTool, given: Mapping[str, Any], before: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments as policy will see them: those given, and the defaults of those left out.

    Raises `UsageError` for what no call of the tool has: its answer would be about another call.
    """
    from toolcrib._nearest import did_you_mean
    from toolcrib.bench._arguments import defaults, unknown

    if found := unknown(tool, given):
        name, names = found
        hint = did_you_mean(name, names)
        raise click.UsageError(f"{tool.name} has no argument {name!r}, so nothing was decided. {hint}")
    if before and tool.has_preview is False and tool.schema is not None:
        raise click.UsageError(f"{tool.name} has no preview, so there is no record before it. Drop --before")
    return {**defaults(tool), **given}


def told_notes(tool: KnownTool, arguments: Mapping[str, Any]) -> Sequence[str]:
    """What the verdict does not say: that the call would be refused before policy is asked."""
    from toolcrib.bench._arguments import missing

    lacking = missing(tool, arguments)
    if not lacking:
        return ()
    names = f"{', '.join(lacking[:-1])} and {lacking[-1]}" if lacking[1:] else lacking[0]
    return (f"{tool.name} requires {names}; a call without is refused as invalid before it is decided",)


def check_told(found: Explanation, tool: str, arguments: Mapping[str, Any]) -> None:
    """A call is not denied for an argument that only the question lacks; raises `UsageError`.

    Where a deny row matches, or no row allows anything, the answer does not hang on it.
    """
    lacking: dict[str, str] = {}
    for one in found.considered:
        root, _, path = one.absent.partition(".")
        if root == "args" and path.partition(".")[0] not in arguments:
            lacking.setdefault(path, one.row.place)
    rules = [one for one in found.considered if one.row.kind == "p" and one.outcome != "condition is false"]
    denied = any(one.outcome == "matches" for one in rules if one.row.values[-1] == "deny")
    allowed = any(one.row.values[-1] == "allow" for one in rules)
    if lacking and found.decision.verdict == "deny" and allowed and not denied:
        (path, place), *_ = lacking.items()
        raise click.UsageError(
            f"the argument {path} of {tool} is missing, so nothing was decided: {place} reads it. "
            f"Give {' '.join(f'--arg {one}=VALUE' for one in lacking)} (null for a call that leaves it out)"
        )
