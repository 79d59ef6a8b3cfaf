"""What the bench's commands share: the tools that policy is checked against, and files to write to."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._print import console, plain

if TYPE_CHECKING:
    from rich.console import Console

    from toolcrib.cli._desk import Desk
    from toolcrib.policy import Governed

__all__ = ["busy", "print_facts", "relative", "tools_option", "tools_or_none", "write_file"]

_IN_FILE = click.Path(path_type=Path, dir_okay=False)


def tools_option(command: Any) -> Any:
    """`--tools FILE`."""
    text = "The tools, as `toolcrib tools list --json` prints them. Default: the installed packs'."
    return click.option("--tools", "tools_file", type=_IN_FILE, metavar="FILE", help=text)(command)


def tools_or_none(desk: Desk, file: Path | None) -> list[Governed] | None:
    """The tools of a file, else those of the config's packs; None where there is neither.

    Packs that cannot be opened are told on stderr: a policy can be looked at without them.
    """
    from toolcrib.errors import ToolcribError

    if file is not None:
        from toolcrib.bench.tools import read_tools

        return read_tools(file)
    if not desk.file.exists():
        return None
    try:
        return list(desk.crib().registry) or None
    except ToolcribError as error:
        click.echo(f"The packs are left out: {error}", err=True)
        return None


@contextmanager
def busy(text: str) -> Iterator[None]:
    """A sign of life on stderr, at a terminal only: a policy of 100,000 rows takes seconds."""
    if not sys.stderr.isatty():
        yield
        return
    with console(stderr=True).status(text):
        yield


def print_facts(out: Console, facts: Iterable[tuple[str, str]]) -> None:
    """Name and text, indented; at a terminal wrapped under the text, else one line each, for grep."""
    pairs = list(facts)
    wide = max((len(name) for name, _ in pairs), default=0)
    for name, text in pairs:
        start = f"    {name:{wide}} "
        line = f"{start}{plain(text)}"
        if out.is_terminal:
            line = textwrap.fill(line, out.width, subsequent_indent=" " * len(start), break_on_hyphens=False)
        out.print(line, soft_wrap=True)


def relative(path: Path) -> Path:
    """A path as somebody here would type it."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def write_file(file: str, data: bytes) -> None:
    """Write to a file, or to stdout for `-`."""
    if file == "-":
        click.echo(data, nl=False)
        return
    try:
        Path(file).write_bytes(data)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from None
