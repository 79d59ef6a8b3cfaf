"""`toolcrib audit`: look at the audit log, search it, verify it, and sign checkpoints of it.

Records hold what agents, and through them strangers, wrote. Nothing of that reaches the terminal before
`plain` has made control characters visible, and it is never read as markup.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from toolcrib.calls import Status
from toolcrib.cli._print import as_json, console, emit_json, plain
from toolcrib.os_user import system_user

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from toolcrib.audit import Checkpoint, Verification

__all__ = ["audit"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ"])
_STATUS = click.Choice(get_args(Status))
_KIND = click.Choice(["refusal", "intent", "recall", "outcome", "approval", "admin", "log"])
_GOOD = {"allow", "done", "approved", "approve"}
_WAITING = {"review", "pending", "requested", "running?"}
_FOLDING = {"who": (9, 24), "tool": (18, 32), "what": (18, 32), "approver": (8, 18)}
"""Columns of any length: the least width in characters, and the greatest in percent of the terminal's."""
_LOOK_BACK = 1000  # records read beyond the last row shown, to complete calls whose intent lies further back


@click.group()
def audit() -> None:
    """Show, query, verify and checkpoint the audit log."""


def _paths(ctx: click.Context) -> tuple[Path, Path]:
    """The audit folder and the folder of keys."""
    return ctx.obj.audit_folder, ctx.obj.keys_folder


# --- show and query ---------------------------------------------------------------------------------------


@audit.command()
@click.option(
    "-n", "--last", "count", type=click.IntRange(min=1), default=20, show_default=True, help="How many."
)
@click.option("--run", "run", help="Only this run.")
@click.option("--all", "everything", is_flag=True, help="Also the log's records about itself.")
@as_json
@click.pass_context
def show(ctx: click.Context, count: int, run: str | None, everything: bool, as_json: bool) -> None:
    """Show the last calls and administrative acts, one line each, oldest first."""
    from toolcrib.audit import query

    records = query(_paths(ctx)[0], run=run, newest_first=True)
    wanted = (record for record in records if everything or record["kind"] != "log")
    rows = list(reversed(_merge(wanted, count)))
    if as_json:
        emit_json(rows)
    elif rows:
        console().print(_calls(rows))
    else:
        click.echo("Nothing is on the log yet." if run is None else "Nothing is on the log for this run.")


@audit.command()
@click.option("--tool", help="A tool, or PACK.* for all tools of a pack.")
@click.option("--user", help="A user's id.")
@click.option("--agent", help="An agent's name.")
@click.option("--status", type=_STATUS, metavar="STATUS", help=f"An outcome: {', '.join(_STATUS.choices)}.")
@click.option("--kind", type=_KIND, metavar="KIND", help=f"A kind of record: {', '.join(_KIND.choices)}.")
@click.option("--run", help="A run's id.")
@click.option("--call", help="A call's id.")
@click.option("--approval", help="An approval's id.")
@click.option(
    "--since", type=_MOMENT, metavar="TIME", help="From 2026-11-22 or 2026-11-22T09:30:00 on (UTC)."
)
@click.option("--until", type=_MOMENT, metavar="TIME", help="Before this moment (UTC).")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the newest ones.")
@click.option("--full", is_flag=True, help="Every field of every record.")
@as_json
@click.pass_context
def query(ctx: click.Context, /, limit: int | None, full: bool, as_json: bool, **filters: Any) -> None:
    """List records that fit all given filters, oldest first."""
    from toolcrib.audit import query

    found: Iterable[Mapping[str, Any]]
    if limit is None:
        found = query(_paths(ctx)[0], **filters)
    else:
        found = reversed(list(islice(query(_paths(ctx)[0], newest_first=True, **filters), limit)))
    if as_json:
        emit_json(list(found))
    elif full:
        _print_fields(found)
    else:
        _print_records(list(found))


def _merge(newest_first: Iterable[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
    """The newest `count` rows, newest first; intent, approval and outcome of one call become one row."""
    rows: dict[object, dict[str, Any]] = {}
    beyond = 0
    for record in newest_first:
        key = _row_key(record)
        if key in rows:
            rows[key] = {**record, **rows[key]}  # what came later wins; what only the intent knew is added
        elif len(rows) < count:
            rows[key] = dict(record)
        else:
            beyond += 1
        if len(rows) == count and (beyond >= _LOOK_BACK or not any(map(_lacks_intent, rows.values()))):
            break
    return list(rows.values())


def _row_key(record: Mapping[str, Any]) -> object:
    if record["kind"] in ("intent", "outcome"):
        return record.get("id") or (record.get("call"), record.get("preview_of"))
    return record["seq"]


def _lacks_intent(row: Mapping[str, Any]) -> bool:
    return row["kind"] == "outcome" and "decision" not in row and "arguments" not in row


def _calls(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table(rows, "who", "tool", "decision", "outcome", "approver")
    for row in rows:
        # An intent that met no outcome still runs, or its process died.
        outcome = "running?" if row["kind"] == "intent" else str(row.get("status", ""))
        judged = (_judged(str(row.get("decision", ""))), _judged(outcome))
        table.add_row(
            _time(row, rows), _plain(_who(row)), _plain(_what(row)), *judged, _plain(_approver(row))
        )
    return table


def _print_records(records: Sequence[Mapping[str, Any]]) -> None:
    table = _table(records, "record", "kind", "who", "what", "decision", "outcome")
    for record in records:
        cells = (_plain(record[name]) for name in ("seq", "kind"))
        what = (_plain(_who(record)), _plain(_what(record)))
        judged = (_judged(str(record.get(name, ""))) for name in ("decision", "status"))
        table.add_row(_time(record, records), *cells, *what, *judged)
    if records:
        console().print(table)
    click.echo(f"{len(records)} record{'' if len(records) == 1 else 's'}")


def _print_fields(records: Iterable[Mapping[str, Any]]) -> None:
    import orjson

    for record in records:
        click.secho(f"record {record['seq']} · {record['ts']} · {plain(record['kind'])}", bold=True)
        for name in sorted(record.keys() - {"seq", "ts", "kind", "v"}):
            value = record[name]
            text = value if isinstance(value, str) else orjson.dumps(value).decode()
            click.echo(f"  {plain(name):<16} {plain(text).replace(chr(10), ' ')}")


# --- verify and checkpoint --------------------------------------------------------------------------------


@audit.command()
@click.option("--public-key", type=_FILE, help="The pinned public key (PEM) that signed the checkpoints.")
@click.option("--checkpoint", type=_FILE, help="A checkpoint that was shipped off this host.")
@as_json
@click.pass_context
def verify(ctx: click.Context, public_key: Path | None, checkpoint: Path | None, as_json: bool) -> None:
    """Check that no record was changed, removed, added or moved. Exits with 1 if one was."""
    from toolcrib.audit import PublicKey, verify

    pinned = PublicKey.load(public_key) if public_key else None
    with _progress(show=not as_json) as progress:
        found = verify(_paths(ctx)[0], public_key=pinned, checkpoint=checkpoint, progress=progress)
    if as_json:
        emit_json({"ok": found.ok, **asdict(found)})
    else:
        _print_verification(found)
    ctx.exit(0 if found.ok else 1)


@audit.command()
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write it here, to ship it."
)
@as_json
@click.pass_context
def checkpoint(ctx: click.Context, out: Path | None, as_json: bool) -> None:
    """Verify the log, then sign where it stands. Ship the checkpoint and the public key off this host."""
    from toolcrib.audit import AuditLog, verify

    folder, keys = _paths(ctx)
    with _progress(show=not as_json) as progress:
        found = verify(folder, progress=progress)
    if not found.ok:  # a signature over a changed log would make the change look right
        _refuse(found, as_json)
        ctx.exit(1)
    key = ctx.obj.audit_signer()
    key.public.export(keys / "audit.pub")
    log = AuditLog(folder)
    try:
        signed = log.checkpoint(key, out=out)
        log.append_blocking(_made(signed, out))
    finally:
        log.close()
    if as_json:
        emit_json({**asdict(signed), "public_key": str(keys / "audit.pub")})
    else:
        _print_checkpoint(signed, folder, keys / "audit.pub", out)


def _made(signed: Checkpoint, out: Path | None) -> dict[str, Any]:
    fields = {"records": signed.records, "head": signed.head, "key": signed.key, "user": system_user()}
    return {"kind": "admin", "action": "audit.checkpoint", **fields, **({"out": str(out)} if out else {})}


def _refuse(found: Verification, as_json: bool) -> None:
    if as_json:
        emit_json({"ok": False, **asdict(found)})
        return
    _print_verification(found)
    click.echo("No checkpoint was signed: it would vouch for a log that was changed.")


def _print_verification(found: Verification) -> None:
    from rich.text import Text

    screen = console()
    if found.problem is None:
        files = f"{found.segments} segment{'' if found.segments == 1 else 's'}"
        what = (
            f"{found.records:,} record{'' if found.records == 1 else 's'} in {files} ({_size(found.bytes)})"
        )
        screen.print(Text("✓ ", "bold green") + Text(f"{what}: nothing was changed, removed, added or moved"))
    else:
        problem = found.problem
        record = "" if problem.seq is None else f", record {problem.seq}"
        screen.print(Text("✗ ", "bold red") + Text(f"{problem.what}: {plain(problem.place)}{record}", "bold"))
        screen.print(Text(f"  {plain(problem.detail)}"))
        screen.print(Text(f"  Good before it: {found.records:,} record{'' if found.records == 1 else 's'}"))
    for note in found.notes:
        table = _grid()
        table.add_row("•", note)
        screen.print(table, style="dim")


def _print_checkpoint(signed: Checkpoint, folder: Path, public: Path, out: Path | None) -> None:
    grid = _grid()
    grid.add_row("records", f"1 to {signed.records:,}")
    grid.add_row("head", signed.head)
    grid.add_row("key", signed.key)
    grid.add_row("checkpoint", str(out or folder / "checkpoints" / f"{signed.records:012}.json"))
    grid.add_row("public key", str(public))
    console().print(grid)
    click.echo(
        "Copy checkpoint and public key to where this host cannot write; there they protect these records."
    )


# --- cells ------------------------------------------------------------------------------------------------


def _one_day(records: Sequence[Mapping[str, Any]]) -> bool:
    return records[0]["ts"][:10] == records[-1]["ts"][:10] if records else True


def _time(record: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> Text:
    """The time of day, with month and day where the records span more than one."""
    start = 11 if _one_day(records) else 5
    return _plain(record["ts"][start:19].replace("T", " "), style="dim")


def _who(record: Mapping[str, Any]) -> str:
    return " · ".join(str(record[name]) for name in ("user", "agent") if record.get(name))


def _what(record: Mapping[str, Any]) -> str:
    action = record.get("action") or record.get("event")
    if record["kind"] == "approval":
        return f"{record.get('tool', '')} ({action})"
    preview = " (preview)" if record.get("preview_of") else ""
    return f"{record.get('tool') or action or record['kind']}{preview}"


def _approver(record: Mapping[str, Any]) -> str:
    approver = record.get("approver") or record.get("by") or ""
    names = ", ".join(map(str, approver)) if isinstance(approver, list) else str(approver)
    return f"{names} (edited)" if names and record.get("edited") else names


def _judged(word: str) -> Text:
    if not word:
        return _plain("")
    return _plain(word, style="green" if word in _GOOD else "yellow" if word in _WAITING else "red")


def _plain(value: object, style: str = "") -> Text:
    from rich.text import Text

    return Text(plain(value).replace("\n", " "), style=style)


def _table(records: Sequence[Mapping[str, Any]], *columns: str) -> Table:
    from rich.table import Table

    room = console().width
    day = f"{records[0]['ts'][:10]}, UTC" if records and _one_day(records) else "UTC"
    gap = 2 if room >= 100 else 1
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold", caption=day)
    table.caption_justify = "left"
    table.add_column("time", no_wrap=True)
    for column in columns:
        folds = _FOLDING.get(column)
        if folds is None:
            table.add_column(column, no_wrap=True)
        else:
            table.add_column(
                column, overflow="fold", min_width=folds[0], max_width=max(folds[0], room * folds[1] // 100)
            )
    return table


def _grid() -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


@contextmanager
def _progress(*, show: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on the terminal's error stream, gone when the work is done."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
