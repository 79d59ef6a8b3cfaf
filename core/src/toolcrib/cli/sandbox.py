"""`toolcrib sandbox`: whether code that a model wrote can be run here, and how safely."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from toolcrib.cli._desk import Desk
from toolcrib.cli._print import as_json, console, emit_json, plain

if TYPE_CHECKING:
    from toolcrib.approvals import Approval
    from toolcrib.calls import ToolResult
    from toolcrib.executor._case import Progress
    from toolcrib.sandbox import Protection

__all__ = ["sandbox"]

EXIT_PENDING = 3
MOST_CODE = 1 << 20
"""Bytes of a program; no tool takes more, and nobody should wait for the end of `/dev/zero`."""


@click.group()
def sandbox() -> None:
    """Run code that a model wrote, and check how safely."""


def _mib(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})(?:([MG])(?:i?B)?)?", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no size such as 512M or 1G", ctx, param)
    return int(found[1]) * (1024 if found[2] == "G" else 1)


@sandbox.command("run")
@click.argument("file", type=click.File("rb"))
@click.option("--agent", default="cli", show_default=True, help="The agent that policy is asked about.")
@click.option("--user", help="The user; without it, whoever [approvals.users] says runs this command.")
@click.option("--language", type=click.Choice(["python", "shell"]), help="Without it, by the file's name.")
@click.option("--memory", callback=_mib, metavar="SIZE", help="At most so much memory: 512M, 1G.")
@click.option("--seconds", type=float, help="At most so long.")
@click.option("--egress", multiple=True, metavar="HOST:PORT", help="What it may reach; nothing else.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="A folder for the files that it leaves."
)
@click.option("--key", help="Idempotency key.")
@as_json
@click.pass_obj
@click.pass_context
def run(
    ctx: click.Context,
    desk: Desk,
    file: IO[bytes],
    agent: str,
    user: str | None,
    language: str | None,
    memory: int | None,
    seconds: float | None,
    egress: tuple[str, ...],
    out: Path | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Run FILE (- is standard input) in a sandbox, as a governed call; exit code 3 when it waits for an
    approval, 1 when it was refused or the code failed.
    """
    from toolcrib.adapters._code_blocks import Blocks, Outcome

    crib = desk.crib()
    principal = crib.principal(agent, user or desk.approver())
    blocks = Blocks(crib, principal, memory=memory, seconds=seconds, egress=egress, folder=out)
    call = blocks.call(_code(file), language or ("shell" if file.name.endswith(".sh") else "python"))
    assert not isinstance(call, Outcome), "both languages are known"
    key = key or f"cli-{secrets.token_hex(6)}"  # without one, nothing could use the approval
    result = crib.run_sync(crib.execute(replace(call, idempotency_key=key), watch=_say_that_it_waits))
    if not as_json:
        _print_result(result, key)
    code = blocks.outcome(result).exit_code  # after printing: a file that cannot be written hides nothing
    if as_json:
        emit_json({**_row(result), "key": key})
    elif out is not None and blocks.kept:
        click.echo(f"Written to {plain(out)}: {plain(', '.join(blocks.kept))}", err=True)
    ctx.exit(EXIT_PENDING if result.status == "pending" else int(code != 0))


def _code(file: IO[bytes]) -> str:
    data = file.read(MOST_CODE + 1)
    if len(data) > MOST_CODE:
        raise click.BadParameter(
            f"{file.name!r} has more than {MOST_CODE:,} bytes; give data as files, not inside the code",
            param_hint="FILE",
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{file.name!r} is not UTF-8 text ({error})", param_hint="FILE") from error


def _say_that_it_waits(news: Approval | Progress) -> None:
    """While a call waits for a person, nothing else is to be seen of it."""
    from toolcrib.approvals import Approval, approvers_of

    if isinstance(news, Approval):
        who = " and ".join(dict.fromkeys(map(approvers_of, news.requirements)))
        until = time.strftime("%Y-%m-%d %H:%M", time.localtime(news.expires))
        click.echo(f"Waits for an approval by {plain(who)}, until {until} at most.", err=True)
        click.echo(f"Answer it:      toolcrib approvals show {news.id}", err=True)


def _print_result(result: ToolResult, key: str) -> None:
    """What the code printed, each stream where it belongs; what happened goes to standard error."""
    from toolcrib.adapters._code_blocks import notes

    value = result.value
    if result.status != "done" or not isinstance(value, Mapping):
        click.echo(plain(result.text), err=True)
        if result.approval and result.status == "pending":
            click.echo(f"Answer it:      toolcrib approvals show {result.approval}", err=True)
            click.echo(f"Then run it:    the same command with --key {key}", err=True)
        return
    click.echo(_shown(value["stdout"]), nl=False)
    click.echo(_shown(value["stderr"]), nl=False, err=True)
    if value["stderr"] and not value["stderr"].endswith("\n"):
        click.echo(err=True)
    for note in notes(value):
        click.echo(plain(note), err=True)
    if value["exit_code"]:
        click.echo(f"Exit code {value['exit_code']}.", err=True)


def _shown(text: str) -> str:
    return "\t".join(map(plain, text.split("\t")))


def _row(result: ToolResult) -> dict[str, Any]:
    return {
        "status": result.status,
        "text": result.text,
        "value": result.value,
        "approval": result.approval,
    }


@sandbox.command("check")
@as_json
@click.pass_obj
@click.pass_context
def check(ctx: click.Context, desk: Desk, as_json: bool) -> None:
    """Try every protection of the sandbox on this engine; exit code 1 if a required one does not hold.

    Takes some seconds: each limit is run into, in a sandbox of its own.
    """
    crib = desk.crib()
    found = crib.run_sync(crib.sandbox.check())
    if as_json:
        emit_json([asdict(each) for each in found])
    else:
        _print(found)
    ctx.exit(int(any(each.required and not each.holds for each in found)))


def _print(found: Sequence[Protection]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("protection", "", "detail", box=None, pad_edge=False)
    for each in found:
        mark, style = ("holds", "green") if each.holds else ("DOES NOT HOLD", "bold red")
        if not each.holds and not each.required:
            mark, style = "does not hold, not required", "yellow"
        table.add_row(each.name, Text(mark, style), plain(each.detail))
    console().print(table)
    missing = [each.name for each in found if each.required and not each.holds]
    if missing:
        console().print(f"Runs are refused: {plain(', '.join(missing))}.", style="bold red")
