"""`toolcrib packs new`: the project of a new pack."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

__all__ = ["new"]


@click.command("new")
@click.argument("name")
@click.option(
    "--dir", "parent", metavar="FOLDER", default=Path(), show_default="here",
    type=click.Path(path_type=Path, file_okay=False), help="Make the project's folder in FOLDER.",
)  # fmt: skip
def new(name: str, parent: Path) -> None:
    """Make a project for a new pack, toolcrib-NAME, that works and passes its checks as it is.

    It has four tools over an embedded backend, settings, a sample policy with tests, the conformance suite
    and a README. Make it yours from there.
    """
    from toolcrib.cli._print import plain
    from toolcrib.packs._new import new_pack

    _, folder = new_pack(name, parent)
    click.echo(f"Made {plain(folder)}, a pack that works. Next:")
    for command in (f"cd {shlex.quote(str(folder))}", "toolcrib packs check", "pip install -e ."):
        click.echo(f"  {plain(command)}")
