"""What the commands over a whole policy have in common: options, tools, and how a cell is shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from rich.table import Table

    from toolcrib.bench.cells import Cell
    from toolcrib.effects import Effect
    from toolcrib.policy import Governed, Policy

__all__ = [
    "MARKS",
    "STYLES",
    "Desk",
    "installed_tools",
    "named_secrets",
    "one_tool",
    "print_notes",
    "shortened",
    "table",
    "terms",
    "view_options",
]

MARKS = {"allow": "✓", "review": "◉", "depends": "◇", "deny": "✕"}
STYLES = {"allow": "green", "review": "yellow", "depends": "magenta", "deny": "red"}
SHOWN_NAMES = 6


class Desk(Protocol):
    """What these commands need of the crib's desk."""

    @property
    def policy_folder(self) -> Path:
        """Where model.conf and policy.csv are."""

    @property
    def folder(self) -> Path:
        """The crib's state folder."""

    @property
    def tenant(self) -> str:
        """The crib's tenant."""

    @property
    def secret_names(self) -> Collection[str]:
        """`PACK.NAME` of every secret that the config names."""

    def crib(self) -> Any:
        """The crib, assembled now."""


def view_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--tenant`, `--tools` and `--policy`."""
    path = click.Path(path_type=Path, exists=True)
    options = (
        click.option("--tenant", help="Default: the crib's."),
        click.option("--tools", "tools_file", type=path, help="A list from `tools list --json`."),
        click.option("--policy", "folder", type=path, help="Another policy folder than the crib's."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def installed_tools(desk: Desk, file: Path | None) -> list[Governed]:
    """The tools of a list, or those that are installed, by name; raises `PolicyError` if there are none."""
    from toolcrib.bench.tools import read_tools
    from toolcrib.errors import PolicyError

    found = read_tools(file) if file else list(desk.crib().registry)
    if not found:
        raise PolicyError(
            "no tools are installed",
            rule="this is asked about tools",
            remedy="Lock a pack (`toolcrib packs lock`), or name a list with --tools",
        )
    return sorted(found, key=lambda tool: tool.name)


def named_secrets(desk: Desk, policy: Policy, file: Path | None) -> list[Governed]:
    """The secrets that packs name in the config, unless a list of tools is asked about, and those that rows
    name; each stands as `secret:PACK.NAME` with the act `use`.
    """
    from toolcrib.bench.tools import NamedTool
    from toolcrib.effects import USE
    from toolcrib.policy._facts import SECRET

    names = {row.values[2] for row in policy.rows if row.kind != "g" and row.values[2].startswith(SECRET)}
    if file is None:
        names |= {f"{SECRET}{name}" for name in desk.secret_names}
    return [NamedTool(name, USE) for name in sorted(names) if not name.endswith("*")]


def one_tool(desk: Desk, name: str, effect: Effect | None, file: Path | None) -> Governed:
    """A tool by name, a secret (`secret:PACK.NAME`), or a tool that is not installed, by its effect; raises
    `PolicyError` for an unknown one.
    """
    from toolcrib._nearest import did_you_mean
    from toolcrib.bench.tools import NamedTool
    from toolcrib.effects import USE
    from toolcrib.errors import PolicyError
    from toolcrib.policy._facts import SECRET

    if name.startswith(SECRET):
        return NamedTool(name, USE)
    known = _known(desk, file, is_needed=effect is None)
    if name in known:
        if effect not in (None, known[name].effect):
            what = f"{name} has the effect {known[name].effect}, not {effect}"
            raise click.UsageError(f"{what}: rows are chosen by the tool's own effect. Leave --effect out")
        return known[name]
    if effect is not None:
        return NamedTool(name, effect)
    raise PolicyError(
        f"no tool {name!r} is installed, so its effect is not known",
        rule="rows are chosen by the tool's effect",
        remedy=f"{did_you_mean(name, known)} Or name it with --effect read|write|send|destructive",
    )


def _known(desk: Desk, file: Path | None, *, is_needed: bool) -> dict[str, Governed]:
    """The tools by name; where they are not needed, none if the packs do not open."""
    from toolcrib.errors import ToolcribError

    try:
        return {tool.name: tool for tool in installed_tools(desk, file)}
    except ToolcribError:
        if is_needed or file is not None:
            raise
        return {}


def print_notes(notes: Sequence[str]) -> None:
    """On stderr: what an answer does not say itself."""
    from toolcrib.cli._print import plain

    for note in notes:
        click.echo(f"note: {plain(note)}", err=True)


def terms(cell: Cell) -> str:
    """What comes with a cell's state: who reviews, conditions, quotas."""
    if cell.state == "deny":
        return cell.words.removeprefix("deny").strip()
    words = cell.words.removeprefix("review ") if cell.state == "review" else cell.words
    return "; ".join(part for part in (words if words != "allow" else "", *cell.limits) if part)


def shortened(names: Sequence[str], most: int = SHOWN_NAMES) -> str:
    """`alice, bob and 23 more`."""
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def table(*headings: str, keep: Sequence[str] = ()) -> Table:
    """A table without lines; columns in `keep` are not wrapped."""
    from rich.table import Table

    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        made.add_column(heading, overflow="fold", no_wrap=heading in keep)
    return made
