"""The end of `toolcrib policy explain` for a denied call: what would allow it, tried, and what nearly did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolcrib.cli._cells import table
from toolcrib.cli._print import console, plain

if TYPE_CHECKING:
    from toolcrib.policy import Facts, Governed, Policy
    from toolcrib.principal import Principal

__all__ = ["print_remedy", "remedy_dict"]


def remedy_dict(policy: Policy, principal: Principal, tool: Governed, facts: Facts) -> dict[str, Any]:
    """`smallest`: the rows to add and to replace, or null; `near`: rows that fail for one thing."""
    from toolcrib.bench.remedy import near_misses, remedy

    found = remedy(policy, principal, tool, facts)
    near = near_misses(policy, principal, tool, facts)
    return {"smallest": found and found.as_dict(), "near": [one.as_dict() for one in near]}


def print_remedy(policy: Policy, principal: Principal, tool: Governed, facts: Facts) -> None:
    """Nothing for a call that is not denied."""
    from toolcrib.bench.remedy import near_misses, remedy

    out = console()
    found = remedy(policy, principal, tool, facts)
    if found:
        for row, line in found.replace:
            out.print(plain(f"  narrowed, {row.place} could be: {line}"), soft_wrap=True)
        verdict = "open until the record is known" if found.decision.is_open else found.decision.verdict
        out.print(f"  Tried: the call is then {verdict}.", style="dim")
    near = near_misses(policy, principal, tool, facts)
    if near:
        shown = table("LINE", "ROW", "BUT", keep=("LINE",))
        for one in near:
            shown.add_row(one.row.place, plain(", ".join((one.row.kind, *one.row.values))), plain(one.but))
        out.print()
        out.print("Rows that would have allowed it, but for one thing:", style="bold")
        out.print(shown)
