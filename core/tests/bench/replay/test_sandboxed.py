"""Calls of sandboxed tools, replayed: what was asked of the sandbox is known from the arguments."""

from __future__ import annotations

from typing import Any

import pytest

from toolcrib import tool
from toolcrib.bench._asked import Judge, facts_of_tools
from toolcrib.policy import MODEL, Policy
from toolcrib.sandboxed import Sandboxed
from toolcrib.tools import tools_of


@tool(effect="read", sandbox=Sandboxed(memory="memory", egress="egress"))
def run(memory: int = 256, egress: tuple[str, ...] = ()) -> None:
    """Run."""


ANY = "p, *, acme, local.*, read, True, allow"
SMALL = "p, *, acme, local.run, read, r.ctx.sandbox.memory <= 512, allow"
SHOP = 'p, *, acme, local.run, read, r.ctx.sandbox.egress <= ["shop.example:443"], allow'


def again(rows: str, installed: bool = True, **record: Any) -> Any:
    call = {"agent": "coder", "user": "alice", "tenant": "acme", "tool": "local.run", "effect": "read"}
    tools = facts_of_tools(tools_of(run)) if installed else {}
    return Judge(Policy.of(MODEL, rows + "\n"), tools).decide(call | {"arguments": {}} | record)


@pytest.mark.parametrize(
    ("rows", "arguments", "verdict"),
    [
        (ANY, {}, "allow"),
        (ANY, {"memory": 512}, "deny"),
        (f"{ANY}\n{SMALL}", {"memory": 512}, "allow"),
        (f"{ANY}\n{SMALL}", {"memory": 513}, "deny"),
        (f"{ANY}\n{SHOP}", {"egress": ["shop.example:443"]}, "allow"),
        (f"{ANY}\n{SHOP}", {"egress": ["shop.example:443", "else.example:1"]}, "deny"),
    ],
)
def test_it_is_decided_as_it_would_be_now(rows: str, arguments: dict[str, Any], verdict: str) -> None:
    assert again(rows, arguments=arguments).verdict == verdict


def test_arguments_that_were_not_kept_leave_the_verdict_open() -> None:
    cut = {"sha256": "0" * 64, "bytes": 99999}
    assert again(SMALL, arguments=cut).verdict is None
    assert again(SMALL, arguments=cut, inputs={"sandbox.memory": 512}).verdict == "allow"


def test_targets_that_were_read_then_are_a_set_again() -> None:
    cut = {"sha256": "0" * 64, "bytes": 99999}
    told = {"sandbox.egress": ["a.example:1", "shop.example:443"]}
    assert again(SHOP, arguments=cut, inputs=told).verdict == "deny"  # as lists, `<=` would compare letters
    assert again(SHOP, installed=False, inputs={"sandbox.egress": ["shop.example:443"]}).verdict == "allow"


def test_targets_that_were_too_many_to_keep_are_a_gap() -> None:
    told = {"sandbox.egress": [*(f"h{n}.example:1" for n in range(20)), "… (40 items)"]}
    assert again(SHOP, installed=False, inputs=told).verdict is None
