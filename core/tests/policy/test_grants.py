"""Beyond a sandboxed tool's defaults, only what a row speaks of is granted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from toolcrib import tool
from toolcrib.errors import ToolcribWarning
from toolcrib.policy import MODEL, Facts, Policy, explain
from toolcrib.policy._grants import granting
from toolcrib.principal import Principal
from toolcrib.sandboxed import Sandboxed, Targets
from toolcrib.tools import Tool, tools_of

WHO = Principal("coder", "alice", "acme")
ANY = "p, *, acme, local.*, read, True, allow"
SMALL = "p, *, acme, local.*, read, r.ctx.sandbox.memory <= 512, allow"
SHOP = "https.shop.example:443"


@tool(effect="read", sandbox=Sandboxed(memory="memory", wall="seconds", egress="egress"))
def run(code: str, memory: int = 256, seconds: float = 30, egress: tuple[str, ...] = ()) -> str:
    """Run code."""
    return code


def the_tool() -> Tool:
    return tools_of(run)[0]


def decide(*rows: str, **arguments: Any) -> Any:
    return explain(Policy.of(MODEL, "\n".join(rows) + "\n"), WHO, the_tool(), facts(**arguments))


def facts(**arguments: Any) -> Facts:
    found = Facts({"code": "1", **arguments}, before=None)
    sandbox = the_tool().sandbox
    assert sandbox is not None
    sandbox.fill(found, the_tool().schema)
    return found


def verdict(*rows: str, **arguments: Any) -> str:
    return str(decide(*rows, **arguments).decision.verdict)


@pytest.mark.parametrize(
    ("rows", "asked", "expected"),
    [
        ([ANY], {}, "allow"),
        ([ANY], {"memory": 256}, "allow"),
        ([ANY], {"memory": 64, "seconds": 1}, "allow"),
        ([ANY], {"memory": 257}, "deny"),
        ([ANY], {"seconds": 31}, "deny"),
        ([ANY], {"egress": [SHOP]}, "deny"),
        ([ANY, SMALL], {"memory": 512}, "allow"),
        ([ANY, SMALL], {"memory": 513}, "deny"),
        ([SMALL], {"memory": 512}, "allow"),
        ([ANY, SMALL], {"memory": 512, "seconds": 31}, "deny"),
        ([ANY, SMALL, SMALL.replace("memory <= 512", "wall <= 60")], {"memory": 512, "seconds": 31}, "allow"),
    ],
)
def test_more_than_the_default_needs_a_row_that_speaks_of_it(
    rows: list[str], asked: dict[str, Any], expected: str
) -> None:
    assert verdict(*rows, **asked) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([SHOP], "allow"),
        ([SHOP.upper()], "allow"),
        ([SHOP, "files.shop.example:443"], "allow"),
        ([], "allow"),
        (["https.shop.example:80"], "deny"),
        ([SHOP, "elsewhere.example:443"], "deny"),
    ],
)
def test_targets_are_granted_by_list(asked: list[str], expected: str) -> None:
    row = f'p, *, acme, local.*, read, r.ctx.sandbox.egress <= ["{SHOP}", "files.shop.example:443"], allow'
    assert verdict(ANY, row, egress=asked) == expected


def test_one_target_may_be_denied_to_all() -> None:
    rows = (
        "p, *, acme, local.*, read, r.ctx.sandbox.egress >= [], allow",
        'p, *, acme, local.*, read, "x.example:25" in r.ctx.sandbox.egress, deny',
    )
    assert verdict(*rows, egress=["y.example:25"]) == "allow"
    assert verdict(*rows, egress=["x.example:25", "y.example:25"]) == "deny"


def test_asking_whether_it_is_there_grants_nothing() -> None:
    row = 'p, *, acme, local.*, read, has(r.ctx, "sandbox.memory"), allow'
    assert verdict(row) == "allow"
    assert verdict(row, memory=9999) == "deny"


def test_a_deny_row_that_speaks_of_it_grants_nothing() -> None:
    row = "p, *, acme, local.*, read, r.ctx.sandbox.memory > 1024, deny"
    assert verdict(ANY, row, memory=512) == "deny"


def test_a_review_is_no_grant_but_stays_one_where_a_row_grants() -> None:
    review = "p2, *, acme, local.*, read, r.ctx.sandbox.memory > 256, lead"
    assert verdict(ANY, review, memory=512) == "deny"
    assert verdict(ANY, SMALL, review, memory=512) == "review"
    assert verdict(ANY, SMALL, review) == "allow"


def test_the_reason_says_what_was_asked_and_what_is_usual() -> None:
    found = decide(ANY, memory=2048, egress=[SHOP])
    assert "r.ctx.sandbox.memory" in found.decision.reason
    assert "memory 2048 (default 256)" in found.decision.reason
    assert f"egress {SHOP} (default none)" in found.decision.reason


def test_what_explain_proposes_allows_it() -> None:
    asked: dict[str, Any] = {"memory": 2048, "egress": [SHOP]}
    found = decide(ANY, **asked)
    (remedy,) = found.remedies
    assert remedy.startswith("add: p, user:alice, acme, local.run, read, ")
    assert verdict(ANY, remedy.removeprefix("add: "), **asked) == "allow"
    assert verdict(ANY, remedy.removeprefix("add: "), **{**asked, "memory": 2049}) == "deny"


def test_the_proposed_condition_is_just_what_is_asked() -> None:
    assert granting(facts()) == "True"
    assert granting(facts(memory=300)) == "r.ctx.sandbox.memory <= 300"


def test_a_custom_model_is_held_to_the_same() -> None:
    model = MODEL.replace("[matchers]", "# mine\n[matchers]").replace(
        'm  = (p.act == "*"', 'm  = (p.act == "*" || p.act == "any"'
    )
    with pytest.warns(ToolcribWarning, match="plain Casbin"):
        policy = Policy.of(model, f"{ANY}\n{SMALL}\n")
    assert not policy.is_indexed
    candidates = policy.candidates(WHO, the_tool())
    assert policy.decide(candidates, facts()).verdict == "allow"
    assert policy.decide(candidates, facts(memory=9999)).verdict == "deny"


@dataclass(frozen=True)
class Plain:
    name: str = "crm.get"
    effect: Any = "read"
    labels: frozenset[str] = frozenset()
    idempotent: bool = False
    pack: str = "crm"


def test_tools_without_a_sandbox_are_decided_as_before() -> None:
    policy = Policy.of(MODEL, "p, *, acme, crm.*, read, True, allow\n")
    assert policy.decide(policy.candidates(WHO, Plain()), Facts({}, before=None)).verdict == "allow"


class TestTargets:
    """A set that may be held against a list."""

    def test_comparisons(self) -> None:
        one = Targets(["a:1"])
        assert one <= ["a:1", "b:2"] and one <= ("a:1",) and one == ["a:1"] and one in [["a:1"]]
        assert not one <= [] and one != [] and one > [] and one >= ["a:1"] and one < ["a:1", "b:2"]
        assert Targets() == [] and Targets() <= ["a:1"]

    @pytest.mark.parametrize("other", ["a:1", 5, None, {"a:1": 1}])
    def test_what_is_no_list_raises_so_that_the_condition_denies(self, other: Any) -> None:
        with pytest.raises(TypeError):
            Targets(["a:1"]) <= other  # noqa: B015
        assert Targets(["a:1"]) != other
