"""`toolcrib freeze` and `toolcrib unfreeze`: stop tools at once, for everybody, and let them go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from toolcrib.cli._acts import act_options, change_rows, desk_of
from toolcrib.cli._print import console, emit_json, plain

if TYPE_CHECKING:
    from toolcrib.cli._desk import Desk

__all__ = ["freeze", "unfreeze"]


@click.command()
@click.argument("tools", nargs=-1, metavar="[TOOL]...")
@act_options
@click.pass_obj
def freeze(desk: Desk, tools: Sequence[str], yes: bool, dry_run: bool, as_json: bool) -> None:
    """Deny every call to each TOOL, whoever asks; without a TOOL, list what is frozen.

    TOOL is a tool's name, PACK.* or *. Running cribs follow within a second; calls that already run go on.
    You need a row that allows you policy.freeze.
    """
    from toolcrib.bench import edit

    if not tools:
        _list(desk, as_json=as_json)
        return
    names = [_known(desk, tool) for tool in tools]
    change_rows(
        desk,
        "freeze",
        {"tools": names},
        lambda texts: edit.freeze(texts.rows, names),
        why=f"freeze {', '.join(names)}",
        yes=yes,
        dry_run=dry_run,
        as_json=as_json,
    )


@click.command()
@click.argument("tools", nargs=-1, required=True, metavar="TOOL...")
@act_options
@click.pass_obj
def unfreeze(desk: Desk, tools: Sequence[str], yes: bool, dry_run: bool, as_json: bool) -> None:
    """Take back `toolcrib freeze TOOL`: other rows decide again. You need a row that allows you
    policy.unfreeze.
    """
    from toolcrib.bench import edit
    from toolcrib.errors import PolicyError

    stopped = edit.frozen(desk_of(desk).texts().rows)
    for tool in tools:
        if tool not in stopped:
            raise PolicyError(
                f"{tool} is not frozen",
                rule=f"frozen: {', '.join(stopped) or 'nothing'}",
                remedy="See `toolcrib freeze`, without a TOOL, for what is",
            )
    change_rows(
        desk,
        "unfreeze",
        {"tools": list(tools)},
        lambda texts: edit.unfreeze(texts.rows, tools),
        why=f"unfreeze {', '.join(tools)}",
        yes=yes,
        dry_run=dry_run,
        as_json=as_json,
    )


def _list(desk: Desk, *, as_json: bool) -> None:
    from toolcrib.bench.edit import frozen

    found = frozen(desk.crib().policy_origin.read().rows)
    if as_json:
        emit_json(found)
    else:
        console().print(plain("\n".join(found)) or "Nothing is frozen.")


def _known(desk: Desk, name: str) -> str:
    """The canonical name of what is to be frozen: a typing error would freeze nothing."""
    registry = desk.crib().registry
    if name == "*":
        return name
    if name.endswith(".*"):
        if any(tool.pack == name[:-2] for tool in registry):
            return name
        raise click.UsageError(f"No pack {name[:-2]!r} is active. See `toolcrib packs list`.")
    return registry.get(name).name
