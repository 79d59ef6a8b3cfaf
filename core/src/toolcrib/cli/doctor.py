"""`toolcrib doctor`: what state this crib is in, part by part, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import click

from toolcrib.cli._desk import Desk
from toolcrib.cli._print import as_json, console, emit_json, plain
from toolcrib.errors import ToolcribError

__all__ = ["Finding", "doctor", "examine"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `ok`, worth a `look`, or `bad` (calls are refused until it is mended)."""

    part: str
    level: Literal["ok", "look", "bad"]
    text: str
    remedy: str = ""


@click.command()
@as_json
@click.pass_obj
@click.pass_context
def doctor(ctx: click.Context, desk: Desk, as_json: bool) -> None:
    """Explain the state of this crib, and what to mend; exit code 1 if calls would be refused."""
    findings = examine(desk)
    if as_json:
        emit_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    ctx.exit(int(any(finding.level == "bad" for finding in findings)))


def examine(desk: Desk) -> list[Finding]:
    """Look at every part; a part that cannot be opened is a finding, and the rest is still looked at."""
    parts: tuple[tuple[str, Callable[[Desk], Iterator[Finding]]], ...] = (
        ("config", _config),
        ("python", _python),
        ("packs", _packs),
        ("policy", _policy),
        ("audit", _audit),
        ("state", _state),
    )
    findings: list[Finding] = []
    for name, look in parts:
        try:
            findings += look(desk)
        except ToolcribError as error:
            findings.append(
                Finding(
                    name, "bad", f"{error.what} ({error.rule})" if error.rule else error.what, error.remedy
                )
            )
            if name == "config":
                break
    return findings


def _print(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    marks = {"ok": ("ok", "green"), "look": ("look", "yellow"), "bad": ("BAD", "bold red")}
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mark, style = marks[finding.level]
        table.add_row(Text(mark, style), finding.part, plain(finding.text))
        if finding.remedy:
            table.add_row("", "", Text(f"-> {plain(finding.remedy)}", "dim"))
    console().print(table)


def _config(desk: Desk) -> Iterator[Finding]:
    config = desk.config
    yield Finding("config", "ok", f"{config.file}, tenant {config.tenant}")
    if config.trust == "installed":
        yield Finding(
            "config",
            "look",
            'trust = "installed": packs run unchecked',
            'Lock them, and set trust = "locked"',
        )
    if not config.approvals.users:
        yield Finding(
            "config",
            "look",
            "nobody here may answer approvals",
            "Map operating-system users in [approvals.users]",
        )


def _python(desk: Desk) -> Iterator[Finding]:
    """Several distributions own the package `autogen` and overwrite one another silently."""
    from importlib.metadata import packages_distributions

    owners = sorted(set(packages_distributions().get("autogen", ())))
    if len(owners) > 1:
        yield Finding(
            "python",
            "bad",
            f"{', '.join(owners)} all own the package 'autogen'",
            "Keep one: pip uninstall the others",
        )
    casbin = sorted(set(packages_distributions().get("casbin", ())))
    if casbin != ["pycasbin"]:
        yield Finding(
            "python",
            "bad",
            f"the package 'casbin' belongs to {', '.join(casbin) or 'nobody'}",
            "pip uninstall casbin, then pip install --force-reinstall pycasbin",
        )
    if len(owners) <= 1 and casbin == ["pycasbin"]:
        yield Finding("python", "ok", f"Python {sys.version.split()[0]}, no clashing distributions")


def _packs(desk: Desk) -> Iterator[Finding]:
    packs = desk.crib().packs
    for pack in packs.in_lock_order():
        yield Finding(
            "packs", "ok", f"{pack.name} {pack.version}: {len(pack.tools)} tools, trust {pack.trust}"
        )
        for stopped in pack.stopped:
            yield Finding("packs", "look", f"{stopped.name} is stopped: {stopped.reason}", stopped.remedy)
    for pack in packs.quarantined:
        yield Finding("packs", "look", f"{pack.name} is quarantined: {pack.reason}", pack.remedy)
    if not packs.packs:
        yield Finding("packs", "ok", "none installed")


def _policy(desk: Desk) -> Iterator[Finding]:
    from toolcrib.bench.edit import frozen

    policy = desk.policy()
    yield Finding("policy", "ok", f"revision {policy.revision}, {len(policy.rows)} rows")
    if alert := desk.crib().policy_source.alert:
        yield Finding("policy", "look", alert, "Mend it; until then, what was in force last goes on")
    if stopped := frozen(desk.crib().policy_origin.read().rows):
        yield Finding(
            "policy", "look", f"frozen: {', '.join(stopped)}", "toolcrib unfreeze TOOL, when it is time"
        )
    for lost in desk.crib().policy_history.lost(desk.config.policy):
        yield Finding("policy", "look", lost, "Until then, no change of the policy is taken but a freeze")
    for warning in policy.warnings:
        yield Finding("policy", "look", warning)


def _audit(desk: Desk) -> Iterator[Finding]:
    from toolcrib.audit import verify

    if not desk.audit_folder.exists():
        yield Finding("audit", "ok", "no log yet; it begins with the first call")
        return
    desk.record(kind="admin", action="doctor")  # can it be written, now?
    found = verify(desk.audit_folder)
    if found.problem is not None:
        yield Finding(
            "audit",
            "bad",
            f"verification fails: {found.problem}",
            "Keep the folder as evidence; see docs/reference/audit.md",
        )
    else:
        yield Finding("audit", "ok", f"{found.records} records, the chain holds, and it can be written")


def _state(desk: Desk) -> Iterator[Finding]:
    state = desk.state()
    waiting = state.list_approvals(status="pending")
    unknown = state.ledger(status="ambiguous")
    running = state.ledger(status="intended")
    for row in unknown:
        yield Finding(
            "state",
            "look",
            f"{row.scope.tool} ({row.call_id}) may or may not have happened",
            f"Look it up at the vendor, then: toolcrib ledger settle {row.id}",
        )
    for approval in waiting:
        yield Finding(
            "state",
            "look",
            f"{approval.tool} waits for an approval",
            f"toolcrib approvals show {approval.id}",
        )
    yield Finding(
        "state",
        "ok",
        f"database opens; {len(running)} calls running, {len(waiting)} waiting, {len(unknown)} ambiguous",
    )
