"""`toolcrib artifacts`: files that runs have left, how much room they take, and which of them go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._desk import Desk
from toolcrib.cli._print import as_json, console, emit_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolcrib._pruning import Entry
    from toolcrib._shelf import Shelf

__all__ = ["artifacts"]


@click.group()
def artifacts() -> None:
    """Look at files that runs have left, and prune them.

    They go by themselves, too: [limits] artifact_age and artifact_total say when. What was used within a day
    stays, and so does what a pending approval needs.
    """


@artifacts.command("list")
@click.option("--tenant", help="Only this tenant's.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@as_json
@click.pass_obj
def list_artifacts(desk: Desk, tenant: str | None, limit: int, as_json: bool) -> None:
    """List stored files, the one that was used last first."""
    from toolcrib._pruning import entries

    stored = entries(desk.folder / "artifacts")[::-1]
    total = sum(each.size for each in stored)
    shown = [each for each in stored if tenant in (None, each.tenant)]
    if as_json:
        emit_json([_as_dict(each) for each in shown[:limit]])
        return
    if shown:
        _print_table(shown[:limit])
    if len(shown) > limit:
        click.echo(f"and {len(shown) - limit:,} more (--limit)")
    room = desk.config.limits.artifact_total
    click.echo(f"{_files(stored)}, {_size(total)} of {_size(room)}.")


@artifacts.command()
@click.option("--older-than", metavar="AGE", help="Instead of [limits] artifact_age: 36h, 7d.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@as_json
@click.pass_obj
def prune(desk: Desk, older_than: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove files that nobody used for long, and the oldest where there are too many bytes.

    It is on the audit log, with digests, before a file is gone.
    """
    shelf = _shelf(desk, older_than, dry_run=dry_run)
    gone = shelf.surplus() if dry_run else shelf.prune()
    if as_json:
        emit_json([_as_dict(each) for each in gone])
        return
    if gone and dry_run:
        _print_table(gone)
    word = "would go" if dry_run else "removed"
    click.echo(f"{_files(gone)} {word}, {_size(sum(each.size for each in gone))}.")


def _shelf(desk: Desk, older_than: str | None, *, dry_run: bool) -> Shelf:
    from dataclasses import replace

    from toolcrib._shelf import Shelf

    limits = desk.config.limits
    if older_than is not None:
        limits = replace(limits, artifact_age=older_than)
        _ = limits.artifact_age_seconds  # an age that does not parse is refused before anything is opened
    person = "" if dry_run else desk.approver()
    return Shelf.of(desk.folder / "artifacts", limits, desk.state(), desk.crib().audit, person)


def _as_dict(entry: Entry) -> dict[str, Any]:
    return {
        "digest": entry.digest,
        "tenant": entry.tenant or None,
        "bytes": entry.size,
        "used": entry.used,
        "path": str(entry.path),
    }


def _print_table(stored: Sequence[Entry]) -> None:
    from rich.table import Table

    from toolcrib.media import media_type_of

    table = Table("Digest", "Tenant", "Type", "Size", "Last used", box=None, pad_edge=False)
    for each in stored:
        kind = media_type_of(each.path.read_bytes()) if each.path.is_file() else "gone"
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.used))
        table.add_row(each.digest[:16], each.tenant or "(a result)", kind, _size(each.size), used)
    console().print(table)


def _files(stored: Sequence[Entry]) -> str:
    return f"{len(stored):,} file{'' if len(stored) == 1 else 's'}"


def _size(size: int) -> str:
    for unit, bits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >> bits:
            return f"{size / (1 << bits):,.1f} {unit}"
    return f"{size} bytes"
