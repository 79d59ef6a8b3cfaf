"""`toolcrib run` and `toolcrib demo`: ready-made jobs, which installed packs bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from toolcrib.cli._desk import Desk

if TYPE_CHECKING:
    from toolcrib.hookspecs import Workflow

__all__ = ["demo", "run"]


class Jobs(click.Group):
    """A group whose commands are the workflows of the installed packs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all jobs."""
        return sorted(_jobs(ctx.obj))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The job's own command, or None."""
        job = _jobs(ctx.obj).get(cmd_name)
        return job.command() if job else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of jobs."""
        jobs = _jobs(ctx.obj)
        if jobs:
            with formatter.section("Jobs"):
                formatter.write_dl([(name, job.summary) for name, job in sorted(jobs.items())])


def _jobs(desk: Desk) -> dict[str, Workflow]:
    """The jobs of the packs that this crib trusts, or, where there is no crib yet, of those that are
    installed.

    A job makes its own crib, with a lock of its own; here only its command is looked up.
    """
    from toolcrib.config import Config
    from toolcrib.packs import load_packs

    config = desk.config if desk.file.exists() else Config(desk.file.absolute(), trust="installed")
    return load_packs(config).workflows()


@click.command(cls=Jobs)
def run() -> None:
    """Run a ready-made job, with agents whose every call is governed."""


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False
)
@click.pass_context
def demo(ctx: click.Context) -> None:
    """See agents work under control: the job called `demo`, in a fresh folder."""
    from toolcrib.errors import PackError

    job = _jobs(ctx.obj).get("demo")
    if job is None:
        raise PackError(
            "there is no demo here",
            rule="the demo is a job of the pack `workflows`",
            remedy="pip install toolcrib-workflows; if there is a toolcrib.toml here, lock the pack first",
        )
    # Not standalone, click hands an exit code back instead of exiting with it.
    code = job.command().main(args=ctx.args, prog_name="toolcrib demo", standalone_mode=False, obj=ctx.obj)
    ctx.exit(code if isinstance(code, int) else 0)
