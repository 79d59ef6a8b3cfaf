"""`toolcrib packs`: which packs may run, and looking at them before they do."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from toolcrib._visible import visible
from toolcrib.cli._lazy import LazyGroup
from toolcrib.cli._print import as_json, console, emit_json, plain
from toolcrib.errors import PackError

if TYPE_CHECKING:
    from toolcrib.packs import LoadedPack, LoadedPacks, LockedPack
    from toolcrib.packs._changes import Change
    from toolcrib.packs._discover import Found

__all__ = ["packs"]

MOST_LINES, LONGEST_LINE = 60, 400
"""What is shown of one change: a flood of words must not carry off the lines above it."""


_LAZY = {
    "check": ("toolcrib.cli.packs_check:check", "Hold packs to what every pack must do."),
    "new": ("toolcrib.cli.packs_new:new", "Make a project for a new pack, which works as it is."),
}


@click.group(cls=LazyGroup, lazy=_LAZY)
def packs() -> None:
    """Make and check tool packs; list, look at and lock the installed ones."""


@packs.command("list")
@as_json
@click.pass_obj
def list_packs(obj: Any, as_json: bool) -> None:
    """Show every pack: active, or quarantined with its reason and what to do."""
    _show(_load(obj), as_json)


@packs.command("verify")
@as_json
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Exit with 1 unless every pack and every tool is as it was locked. For CI.

    Packs that are installed, but neither locked nor configured here, do not run and do not fail: they are
    listed as not used.
    """
    loaded = _load(ctx.obj)
    _show(loaded, as_json)
    if not as_json:
        active, stopped = len(loaded.in_lock_order()), sum(len(pack.stopped) for pack in loaded.packs)
        away = len(loaded.quarantined) - len(loaded.unused)
        unused = f"; not used here: {', '.join(pack.name for pack in loaded.unused)}" if loaded.unused else ""
        click.echo(f"{active} active, {away} quarantined, {stopped} tools stopped{plain(unused)}")
    ctx.exit(0 if loaded.clean else 1)


@packs.command("lock")
@click.argument("names", nargs=-1)
@click.option(
    "--from", "source", metavar="DISTRIBUTION", help="The distribution that shall own the pack's name."
)
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON; needs --yes to lock.")
@click.pass_context
def lock(ctx: click.Context, names: tuple[str, ...], source: str | None, yes: bool, as_json: bool) -> None:
    """Look at new and changed packs (all, or NAMES) without secrets, show the changes, ask, and lock them."""
    if source and len(names) != 1:
        raise click.UsageError("--from needs the name of one pack")
    plan = _plan(ctx.obj, names, source)
    _show_plan(plan, as_json)
    agreed = bool(plan.work) and (yes or (not as_json and click.confirm(_question(plan))))
    if agreed:
        _write(ctx.obj, plan)
    ctx.exit(1 if plan.problems or (plan.work and not agreed and not as_json) else 0)


def _load(obj: Any) -> LoadedPacks:
    from toolcrib.packs import Lock, load_packs

    return load_packs(obj.config, Lock.read(obj.lock_file))


# --- list and verify -----------------------------------------------------------------------------------


def _show(loaded: LoadedPacks, as_json: bool) -> None:
    if as_json:
        emit_json([_as_dict(pack) for pack in loaded.packs])
    elif not loaded.packs:
        click.echo("No packs are installed. A pack is a distribution; install one with pip.")
    else:
        _print_table(loaded)


def _as_dict(pack: LoadedPack) -> dict[str, Any]:
    return {
        "name": pack.name,
        "distribution": pack.distribution,
        "version": pack.version,
        "status": pack.status,
        "trust": pack.trust,
        "used": pack.used,
        "sequence": pack.sequence,
        "reason": pack.reason,
        "remedy": pack.remedy,
        "hooks": list(pack.hooks),
        "tools": [tool.name for tool in pack.tools],
        "stopped": [asdict(tool) for tool in pack.stopped],
    }


def _print_table(loaded: LoadedPacks) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("pack", "distribution", "version", "status", "tools", "reason", box=None, pad_edge=False)
    for pack in loaded.packs:
        status = pack.status if pack.trust == "locked" or pack.status != "active" else "active (not locked)"
        row = (pack.name, pack.distribution, pack.version, status, str(len(pack.tools)), _why(pack))
        table.add_row(*(Text(visible(cell)) for cell in row))
    console().print(table)


def _why(pack: LoadedPack) -> str:
    if pack.reason:
        return f"{pack.reason}. {pack.remedy}".strip()
    return "\n".join(f"stopped: {tool.reason}. {tool.remedy}" for tool in pack.stopped)


# --- lock ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Work:
    """One pack to lock, or to drop when `pack` is None."""

    name: str
    pack: LockedPack | None
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    work: tuple[_Work, ...]
    problems: Mapping[str, PackError]
    skipped: tuple[str, ...]


def _plan(obj: Any, names: tuple[str, ...], source: str | None) -> _Plan:
    """What there is to lock. Editable packs are skipped when all are meant, and a problem when named."""
    from toolcrib._nearest import did_you_mean
    from toolcrib.packs import Lock
    from toolcrib.packs._discover import discover

    installed, locked = discover(), Lock.read(obj.lock_file).packs
    work, problems, skipped = [], {}, []
    chosen = names or sorted({*installed, *locked})
    for name in _with_progress(chosen):
        try:
            if name not in installed and name not in locked:
                near = did_you_mean(name, installed)
                raise PackError(
                    f"no pack {name!r} is installed", rule="only installed packs are locked", remedy=near
                )
            found = _choose(name, installed.get(name, []), locked.get(name), source)
            if found is not None and found.editable and not names:
                skipped.append(name)
            else:
                work.append(_look(obj, name, found, locked.get(name)))
        except PackError as error:
            problems[name] = error
    return _Plan(tuple(item for item in work if item.changes), problems, tuple(skipped))


def _with_progress(names: Iterable[str]) -> Iterator[str]:
    """`names`, with a bar at a terminal: each pack is imported in a process of its own, which takes time."""
    with click.progressbar(list(names), file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield from bar


def _choose(name: str, rivals: list[Found], locked: LockedPack | None, source: str | None) -> Found | None:
    """The distribution to look at: the named one, the owner so far, or the only one there is."""
    wanted = source or (locked.distribution if locked else None)
    chosen = [found for found in rivals if found.distribution == wanted]
    if not chosen and not source and len(rivals) < 2:
        chosen = rivals
    if not chosen and rivals:
        owners = ", ".join(found.distribution for found in rivals)
        raise PackError(
            f"pack name {name!r} is provided by {owners}" + (f", not by {source}" if source else ""),
            rule="a pack's name has one owner",
            remedy=f"Choose: `toolcrib packs lock {name} --from DISTRIBUTION`",
        )
    return chosen[0] if chosen else None


def _look(obj: Any, name: str, found: Found | None, locked: LockedPack | None) -> _Work:
    from toolcrib.packs._changes import Change, changes
    from toolcrib.packs._inspect import inspect_pack

    if found is None:
        return _Work(
            name, None, (Change("removed", f"no longer installed: {name} is dropped from the lock"),)
        )
    pack, files = inspect_pack(found, obj.config)
    return _Work(name, pack, tuple(changes(name, locked, pack)), files.notes)


def _show_plan(plan: _Plan, as_json: bool) -> None:
    if as_json:
        emit_json(_plan_dict(plan))
        return
    for item in plan.work:
        click.secho(_one_line(item.name), bold=True)
        for change in item.changes:
            _print_change(change)
        for note in item.notes:
            click.secho(f"  ! {_one_line(note)}", fg="red")
    for name, problem in plan.problems.items():
        click.secho(f"{_one_line(name)}: {_one_line(str(problem))}", fg="red", err=True)
    for name in plan.skipped:
        click.echo(f'{name}: skipped, it is installed editable (trust = "installed" under [packs.{name}])')
    if not plan.work and not plan.problems and not plan.skipped:
        click.echo("Nothing to lock: every pack is as it was locked.")


def _question(plan: _Plan) -> str:
    grave = sum(change.grave for item in plan.work for change in item.changes)
    grave += sum(len(item.notes) for item in plan.work)
    marked = f" Look at what is marked with !: {grave} change{'s' * (grave > 1)}." if grave else ""
    return f"Lock these packs?{marked}"


def _print_change(change: Change) -> None:
    mark, color = ("!", "red") if change.grave else ("-", None)
    click.secho(f"  {mark} {_one_line(change.text)}", fg=color, bold=change.kind == "lowered")
    lines = list(_compared(visible(change.before).split("\n"), visible(change.after).split("\n")))
    for line in lines[:MOST_LINES]:
        more = f"… and {len(line) - LONGEST_LINE} characters more" if len(line) > LONGEST_LINE else ""
        click.echo(f"      {line[:LONGEST_LINE]}{more}")
    if len(lines) > MOST_LINES:
        click.secho(f"      ! and {len(lines) - MOST_LINES} lines more; --json prints them all", fg="red")


def _compared(before: list[str], after: list[str]) -> Iterator[str]:
    """What went and what came, line by line, with one line around it; all of it where there was nothing."""
    if before == [""] or after == [""]:
        sign, lines = ("+", after) if before == [""] else ("-", before)
        yield from (f"{sign} {line}".rstrip() for line in lines if lines != [""])
        return
    from difflib import unified_diff

    for line in list(unified_diff(before, after, lineterm="", n=1))[2:]:
        yield "..." if line.startswith("@@") else f"{line[0]} {line[1:]}".rstrip()


def _one_line(text: str) -> str:
    """A pack's words in a line of ours: nothing is hidden, moves the cursor or begins another line."""
    return visible(text).replace("\n", "\\n")


def _plan_dict(plan: _Plan) -> dict[str, Any]:
    return {
        "packs": [
            {
                "name": item.name,
                "changes": [{**asdict(change), "grave": change.grave} for change in item.changes],
                "notes": list(item.notes),
            }
            for item in plan.work
        ],
        "problems": {name: str(error) for name, error in plan.problems.items()},
        "skipped": list(plan.skipped),
    }


def _write(obj: Any, plan: _Plan) -> None:
    """Record first, then write: a lock that nobody answers for must not come to be."""
    from toolcrib.packs import Lock

    old = Lock.read(obj.lock_file)
    new = old.changed(_in_sequence(old, plan.work), {item.name for item in plan.work if item.pack is None})
    obj.record(kind="admin", action="packs.lock", packs=[_for_audit(item) for item in plan.work])
    try:
        new.write(obj.lock_file)
    except OSError as error:
        obj.record(kind="admin", action="packs.lock", error=str(error))
        raise PackError(
            f"{obj.lock_file} cannot be written: {error}",
            rule="a lock is written whole or not at all",
            remedy="Make its folder writable",
        ) from error
    click.echo(f"Locked in {obj.lock_file}: {', '.join(item.name for item in plan.work)}", err=True)


def _in_sequence(old: Any, work: Iterable[_Work]) -> dict[str, LockedPack]:
    """Each known pack keeps its place, unless its name goes to another distribution."""
    locked, following = {}, old.next_sequence
    for item in work:
        if item.pack is None:
            continue
        before = old.packs.get(item.name)
        if before is not None and before.distribution == item.pack.distribution:
            locked[item.name] = replace(item.pack, sequence=before.sequence)
        else:
            locked[item.name] = replace(item.pack, sequence=following)
            following += 1
    return locked


def _for_audit(item: _Work) -> dict[str, Any]:
    facts = {} if item.pack is None else {
        "distribution": item.pack.distribution, "version": item.pack.version, "files": item.pack.files
    }  # fmt: skip
    return {"pack": item.name, **facts, "changes": [change.text for change in item.changes]}
