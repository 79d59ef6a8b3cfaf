"""A group whose commands are imported when they are called, so that help costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeAlias

import click

from toolcrib._nearest import nearest

__all__ = ["Lazy", "LazyGroup"]

Lazy: TypeAlias = Mapping[str, tuple[str, str]]
"""Command name: where it lives (`module:attribute`), and its line in `--help`."""


class LazyGroup(click.Group):
    """A group of `lazy` commands, and of those that are added in the ordinary way."""

    def __init__(self, *args: Any, lazy: Lazy, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now; None if there is none."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with the nearest of all commands for one that is not there."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = nearest(args[0], self.list_commands(ctx))
            if near and "Did you mean" not in error.format_message():
                raise click.UsageError(f"{error.format_message()} Did you mean {near!r}?", ctx) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        own = {name: command.get_short_help_str(limit=70) for name, command in self.commands.items()}
        lines = {**own, **{name: line for name, (_, line) in self.lazy.items()}}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(lines.items()))
