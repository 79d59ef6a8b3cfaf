"""How a semantic difference of two policies is shown, wherever a change is asked for or made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from toolcrib.cli._cells import shortened
from toolcrib.cli._print import console, plain
from toolcrib.effects import EFFECTS

if TYPE_CHECKING:
    from toolcrib.bench.diff import Change

__all__ = ["print_changes", "summary"]

_SIGNS = {True: ("▲", "bold red"), False: ("▼", "bold green"), None: ("◆", "bold yellow")}
_LEGEND = "▲ more becomes possible · ▼ less · ◆ look at it"


def summary(changes: Sequence[Change]) -> str:
    """`3 changes: 2 ▲ wider, 1 ▼ narrower`."""
    if not changes:
        return "No call is decided in another way."
    widths = [one.wider for one in changes]
    words = {True: "wider", False: "narrower", None: "other"}
    counts = [f"{widths.count(width)} {words[width]}" for width in words if width in widths]
    return f"{len(changes)} change{'s' if len(changes) > 1 else ''}: {', '.join(counts)}"


def print_changes(changes: Sequence[Change]) -> None:
    """The changes, worst first; tools that fare alike are named together."""
    out = console()
    for group in _groups(changes):
        _print_group(out, group)
    out.print(summary(changes), style="bold")
    if changes:
        out.print(_LEGEND, style="dim")


def _groups(changes: Iterable[Change]) -> Iterable[list[Change]]:
    """Changes of one subject that differ in tool or effect only."""
    groups: dict[Any, list[Change]] = {}
    for one in changes:
        key = (one.tenant, one.subject, one.kind, one.wider, one.was, one.now, one.principals)
        groups.setdefault(key, []).append(one)
    return groups.values()


def _print_group(out: Any, group: Sequence[Change]) -> None:
    from rich.padding import Padding

    one = group[0]
    sign, style = _SIGNS[one.wider]
    who = "everybody" if one.subject == "*" else one.subject
    where = "every tenant" if one.tenant == "*" else f"tenant {one.tenant}"
    out.print(plain(f"{sign} {one.kind}: {who} in {where}"), style=style)
    if one.principals != (one.subject,):
        out.print(Padding(plain(f"who: {_who(one)}"), (0, 0, 0, 4)))
    out.print(Padding(plain(f"tools: {_tools(group)}"), (0, 0, 0, 4)))
    if len(one.words) + 4 <= out.width:
        out.print(Padding(plain(one.words), (0, 0, 0, 4)))
    else:
        out.print(Padding(plain(f"was: {one.was}"), (0, 0, 0, 4)))
        out.print(Padding(plain(f"now: {one.now}"), (0, 0, 0, 4)))
    out.print()


def _who(one: Change) -> str:
    """Whoever meets the change; of a role that only has a new name, whoever holds it."""
    were, are = one.holders
    if one.principals:
        return shortened(one.principals)
    if are:
        return f"{shortened(are)}, for whom this alone changes nothing"
    return (
        f"nobody any more ({shortened(were)}, for whom this alone changes nothing)" if were else "nobody yet"
    )


def _tools(group: Sequence[Change]) -> str:
    """Their names with the effects; those of a pack that fares alike as a whole are only counted."""
    effects: dict[str, list[str]] = {}
    for one in group:
        effects.setdefault(one.tool, []).append(one.effect)
    whole = {(one.tool, one.effect) for one in group if one.tool.endswith("*")}
    shown = []
    for tool, of in effects.items():
        covers = {("*", of[0]), (f"{tool.partition('.')[0]}.*", of[0])} - {(tool, of[0])}
        if len(of) > 1 or whole.isdisjoint(covers):
            shown.append(f"{tool} ({'any effect' if len(of) == len(EFFECTS) else ', '.join(of)})")
    counted = len(effects) - len(shown)
    return shortened(shown, 12) + (f", among them {counted} by name" if counted else "")
