"""How replay and shadow show which calls would go another way, and the filters that both take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from toolcrib.cli._print import console, plain

if TYPE_CHECKING:
    from toolcrib.bench._ways import Group, Tally, Way

__all__ = ["call_filters", "print_ways", "progress_bar", "samples_option", "tally_as_dict"]

MOST_GROUPS = 8
_STYLES = {"allow": "bold green", "deny": "bold red", "unknown": "bold magenta"}


class _Moment(click.ParamType[datetime]):
    """`2026-11-22`, `2026-11-22T11:33:00`, or how long ago: `7d`."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        from toolcrib._duration import seconds
        from toolcrib.errors import ConfigError

        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
        try:
            return datetime.now(UTC) - timedelta(seconds=seconds(value, "how long ago"))
        except (ConfigError, OverflowError):
            self.fail(f"{value!r} is no moment; write 2026-11-22, 2026-11-22T11:33, or 7d (ago)", param, ctx)


samples_option = click.option(
    "--samples", type=click.IntRange(0, 100), default=1, show_default=True, help="Calls shown of each kind."
)


def call_filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--since`, `--until`, `--tool`, `--agent`, `--user`, `--tenant`, `--run`."""
    options = (
        click.option("--since", type=_Moment(), help="From this moment on (UTC), or 7d, 12h ago."),
        click.option("--until", type=_Moment(), help="Before this moment."),
        click.option("--tool", help="A tool, or PACK.* for all tools of a pack."),
        click.option("--agent", help="An agent's name."),
        click.option("--user", help="A user's id."),
        click.option("--tenant", help="A tenant."),
        click.option("--run", help="A run's id."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def progress_bar(*, show: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on the terminal's error stream, gone when the work is done."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


# --- for people -------------------------------------------------------------------------------------------


def print_ways(tally: Tally, headline: str) -> None:
    """How many go which way, and who and what that is."""
    out = console()
    out.print(headline, style="bold")
    if tally.first:
        span = " to ".join(dict.fromkeys(_minute(one) for one in (tally.first, tally.last)))
        out.print(f"{_calls(tally.decided)} from {span} UTC; {tally.same:,} go the same way", style="dim")
    for way, count in tally.ways.items():
        _print_way(way, count, tally.of(way))
    out.print()
    for note in _notes(tally):
        out.print(note, style="dim")


def _print_way(way: Way, count: int, groups: list[Group]) -> None:
    old, new = way
    out = console()
    out.print()
    out.print(f"{old} → {new}: {_calls(count)}", style=_STYLES.get(new, "bold yellow"))
    for group in groups[:MOST_GROUPS]:
        _print_group(group)
    if len(groups) > MOST_GROUPS:
        rest = groups[MOST_GROUPS:]
        more = sum(group.count for group in rest)
        out.print(f"  and {_calls(more)} of {len(rest)} more kinds (--json shows all)", style="dim")


def _print_group(group: Group) -> None:
    from rich.padding import Padding
    from rich.text import Text

    users = sorted(group.users)
    people = ", ".join(users[:4]) + (f" and {len(users) - 4} more" if len(users) > 4 else "")
    told = Text(f"{group.count:>7,}  ", "bold")
    told.append(f"{plain(group.tool)} ({group.effect})")
    told.append(f"  by {plain(group.agent)} for {plain(people)}", "dim")
    out = console()
    out.print(told)
    if group.detail:
        about = "depends on: " if group.way[1] == "unknown" else "approvers: "
        out.print(Padding(Text(about + plain(group.detail)), (0, 0, 0, 9)))
    for sample in group.samples:
        why = "" if group.way[1] == "unknown" else f": {plain(sample.reason)}"
        place = f"record {sample.seq}, {sample.ts[:16].replace('T', ' ')}, {plain(sample.user or 'none')}"
        out.print(Padding(Text(place + why, "dim"), (0, 0, 0, 9)))


def _notes(tally: Tally) -> Iterator[str]:
    if tally.unknown:
        gaps = "an HMAC, a digest, what was never checked or looked up"
        yield f"Unknown depends on what the log does not keep: {gaps}."
    if tally.requotas:
        many = _calls(tally.requotas)
        yield f"{many} would be counted by other quotas (p3 rows); whether these have room is not tried."
    if tally.undecided:
        one = tally.undecided == 1
        ended = "1 record ends" if one else f"{tally.undecided:,} records end"
        left = "is left out" if one else "are left out"
        yield f"{ended} before policy decided (unknown tool, bad arguments, …) and {left}."


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


def _minute(ts: str) -> str:
    return ts[:16].replace("T", " ")


# --- for scripts ------------------------------------------------------------------------------------------


def tally_as_dict(tally: Tally) -> Mapping[str, Any]:
    """Counts, and every group with its samples."""
    return {
        "decided": tally.decided,
        "same": tally.same,
        "changed": tally.changed,
        "unknown": tally.unknown,
        "undecided": tally.undecided,
        "other_quotas": tally.requotas,
        "first": tally.first or None,
        "last": tally.last or None,
        "ways": [
            {"from": way[0], "to": way[1], "count": count, "groups": [_group(one) for one in tally.of(way)]}
            for way, count in tally.ways.items()
        ],
    }


def _group(group: Group) -> Mapping[str, Any]:
    return {
        "tool": group.tool,
        "effect": group.effect,
        "agent": group.agent,
        "users": sorted(group.users),
        "count": group.count,
        "detail": group.detail or None,
        "samples": [asdict(sample) for sample in group.samples],
    }
