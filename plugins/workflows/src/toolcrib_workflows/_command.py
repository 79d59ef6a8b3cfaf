"""The click command of the jobs."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from toolcrib_workflows._jobs import KINDS

__all__ = ["job_command"]


def job_command(name: str, fresh: str) -> click.Command:
    """The command of a job; `fresh` is how the folder is called that it makes where none is named."""

    kind = KINDS[name]

    @click.command(name, help=_help(kind.help))
    @click.option(
        f"--{kind.subject}",
        "subject",
        metavar="TEXT",
        callback=_one_line,
        help=f"{kind.subject_help}  [default: {kind.default}]",
    )
    @click.option(
        "--dir",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        help="The project to work in; made if it is empty or not there.  [default: a fresh folder]",
    )
    @click.option(
        "--api",
        type=click.Choice(["agentchat", "classic"]),
        help="Which of AutoGen's two APIs.  [default: agentchat]",
    )
    @click.option(
        "--answers",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file that answers approvals (TOML), for scripts.",
    )
    @click.option(
        "--user", help="On whose behalf the agents work, as the policy names people.  [default: alice]"
    )
    @click.option("--new", is_flag=True, help="Begin a new run, even if there is an unfinished one.")
    @click.option("--json", "as_json", is_flag=True, help="Print only the summary, as JSON.")
    @click.pass_context
    def command(ctx: click.Context, /, folder: Path | None, **options: Any) -> None:
        _quieten()
        ctx.exit(_run(name, fresh, folder=folder or _folder_of_config(ctx), **options))

    return command


def _one_line(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The subject is a line of its own in the agents' task; more lines would be orders to them."""
    if value is not None and (not value.strip() or not value.isprintable()):
        raise click.BadParameter("one line of printable characters is wanted")
    return value.strip() if value else None


def _folder_of_config(ctx: click.Context) -> Path | None:
    """The folder of the config that `toolcrib -c FILE run JOB` names; None where none was typed."""
    root = ctx.find_root()
    if root.get_parameter_source("config") is not ParameterSource.COMMANDLINE:
        return None
    file: Path = root.params["config"]
    if file.name != "toolcrib.toml":
        raise click.UsageError("A job's project is a folder with a toolcrib.toml: name it with --dir.")
    return file.parent


def _help(what: str) -> str:
    return (
        f"{what} Every call is decided by policy and signed into the audit log.\n\n"
        "The folder keeps everything: run again with --dir to use it again. A run that was stopped, or "
        "killed, while it waited for a human goes on where it was.\n\n"
        "Exit codes: 0 done, 1 failed, 3 waiting for an approval."
    )


def _run(
    name: str,
    fresh: str,
    *,
    subject: str | None,
    folder: Path | None,
    api: Any,
    answers: Path | None,
    user: str | None,
    new: bool,
    as_json: bool,
) -> int:
    from toolcrib_workflows._job import FAILED, WAITING, Job
    from toolcrib_workflows._models import endpoint_of
    from toolcrib_workflows._project import open_project
    from toolcrib_workflows._runs import choose, hold
    from toolcrib_workflows._session import Session

    project = open_project(folder, job=name, fresh=fresh)
    run, resumed = choose(project.runs, job=name, subject=subject, api=api, user=user, new=new)
    with hold(project.runs, run.id), endpoint_of(project.config, project.kind) as endpoint:
        session = Session(project, run, as_json=as_json)
        session.open(endpoint.words, resumed=resumed)
        terminal = sys.stderr if as_json else sys.stdout
        job = Job(project, run, endpoint, session.story, answers=answers, terminal=terminal)
        try:
            code = asyncio.run(job.work())
        except KeyboardInterrupt:
            code = WAITING if run.status == "waiting" else FAILED
        return session.close(code)


def _quieten() -> None:
    """Keep AutoGen's remarks (optional parts that are not installed, unknown prices) off the screen."""
    os.environ.setdefault("AUTOGEN_DISABLE_RUNTIME_TRACING", "true")
    for name in ("autogen", "autogen_core", "autogen_agentchat", "autogen_ext", "flaml", "httpx", "openai"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if not sys.warnoptions:
        for category in (DeprecationWarning, FutureWarning, UserWarning):
            warnings.filterwarnings("ignore", category=category)
