"""Rows that ask for what no call of a tool has: the view leaves them out, and a call agrees."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from toolcrib import Preview, tool
from toolcrib.bench.view import View
from toolcrib.effects import Effect
from toolcrib.policy import MODEL, Policy
from toolcrib.testing.cribs import make_crib

ALLOW = "p, sales, acme, *, *, True, allow\np, agent:a, acme, *, *, True, allow\ng, user:alice, sales, acme\n"
CLOSED = {"properties": {"id": {}}, "additionalProperties": False}


@dataclass(frozen=True)
class Installed:
    """A tool as it is installed; `preview` is what fetches the record before a change."""

    preview: Any = None
    schema: Any = None
    name: str = "crm.put"
    effect: Effect = "write"
    labels: frozenset[str] = frozenset()
    idempotent: bool = False
    arguments: Any = field(default=None, compare=False)

    @property
    def pack(self) -> str:
        return "crm"


def state(when: str, asked: Installed, *, end: str = "deny", kind: str = "p") -> str:
    policy = Policy.of(MODEL, f"{ALLOW}{kind}, *, acme, *, *, {when}, {end}\n")
    return View(policy, "acme").cell(asked, "user:alice", "agent:a").state


BEFORE = 'has(r.ctx, "before.stage")'
AMOUNT = 'has(r.ctx, "args.amount")'


@pytest.mark.parametrize(
    "when",
    [
        f'{BEFORE} and r.ctx.before.stage == "Won"',
        BEFORE,
        f'{AMOUNT} and {BEFORE} and r.ctx.before.stage == "Won"',
        f'({BEFORE} and r.ctx.before.a > 1) or has(r.ctx, "before.other")',
        f"not (not {BEFORE})",
        f"not (not {BEFORE} or r.ctx.args.n > 1)",
    ],
)
def test_a_row_about_the_record_leaves_a_tool_without_a_preview_alone(when: str) -> None:
    assert state(when, Installed()) == "allow"
    assert state(when, Installed(), kind="p2", end="lead") == "allow"
    assert state(when, Installed(preview="get")) == "depends"
    assert state(when, Installed(preview="get"), kind="p2", end="lead") == "depends"


@pytest.mark.parametrize(
    "when",
    [
        f'r.ctx.before.stage == "Won" and {BEFORE}',  # raises, and that denies
        'r.ctx.before.stage == "Won"',
        f"r.ctx.args.n > 1 and {BEFORE}",
        f"not {BEFORE}",
        f"{BEFORE} or r.ctx.args.n > 1",
        f"{BEFORE} or {AMOUNT}",
        AMOUNT,
    ],
)
def test_what_may_hold_or_raise_stays(when: str) -> None:
    assert state(when, Installed()) == "depends"


def test_an_allow_row_that_never_applies_allows_nothing() -> None:
    policy = Policy.of(MODEL, f"p, sales, acme, *, *, {BEFORE} and r.ctx.before.mine, allow\n")
    assert View(policy, "acme").cell(Installed(), "sales").state == "deny"
    assert View(policy, "acme").cell(Installed(preview="get"), "sales").state == "depends"


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        (CLOSED, "allow"),
        ({"properties": {}, "additionalProperties": False}, "allow"),
        ({"properties": {"id": {}, "amount": {}}, "additionalProperties": False}, "depends"),
        ({"properties": {"id": {}}}, "depends"),
        ({**CLOSED, "allOf": [{}]}, "depends"),
        (None, "depends"),
    ],
)
def test_a_row_about_an_argument_leaves_a_tool_that_never_has_it_alone(schema: Any, found: str) -> None:
    assert state(f"{AMOUNT} and r.ctx.args.amount > 5", Installed(schema=schema)) == found
    assert state('has(r.ctx, "args.amount.eur")', Installed(schema=schema)) == found


@tool(effect="write")
async def put(id: str) -> str:
    """Put one."""
    return id


@tool(effect="read")
async def get(id: str) -> dict[str, str]:
    """Get one."""
    return {"stage": "Won"}


@tool(effect="write", preview=Preview("get", id="id"))
async def change(id: str) -> str:
    """Change one."""
    return id


def test_a_call_agrees(tmp_path: Path) -> None:
    won = f'{BEFORE} and r.ctx.before.stage == "Won"'
    rows = f"p, *, acme, local.*, *, True, allow\np, *, acme, *, write, {won}, deny"
    crib = make_crib(tmp_path, rows)
    try:
        crib.add(put, get, change)
        view, who = View(crib.policy(), "acme"), crib.principal("a", "alice")
        found = {}
        for one in ("put", "change"):
            cell = view.cell(crib.registry.get(f"local.{one}"), "user:alice", "agent:a")
            found[one] = cell.state, crib.call_sync(f"local.{one}", {"id": "1"}, who).status
        assert found == {"put": ("allow", "done"), "change": ("depends", "denied")}
    finally:
        crib.close()
