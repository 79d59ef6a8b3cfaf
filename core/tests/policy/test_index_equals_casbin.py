"""The index and plain Casbin decide alike, over random policies of the shipped model and random calls.

Plain Casbin is the oracle for *which rows match*: each row is put to it alone, for each subject. It is
the oracle for the verdict of p as well, with all rows at once. What both subjects' answers come to
together is the design's rule, written out here once more and as plainly as can be.

`TOOLCRIB_DECISIONS=200000` runs more than the 20,000 of the suite. The same corpus then has to find every
planted bug.
"""

from __future__ import annotations

import ast
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any
from unittest import mock

import casbin
import pytest
from casbin import util
from casbin.core_enforcer import EnforceContext
from casbin.persist.adapters import StringAdapter
from casbin.util import expression

from toolcrib.decisions import Decision
from toolcrib.policy import OPEN, Facts, Policy, _candidates, _engine, _index, _judge, _plan, explain
from toolcrib.policy._index import ANY, Index
from toolcrib.policy._model import MODEL
from toolcrib.policy._namespace import Namespace, context, has
from toolcrib.policy._roles import RoleGraph
from toolcrib.principal import Principal

DECISIONS = int(os.environ.get("TOOLCRIB_DECISIONS", "20000"))
CALLS = 50
"""Calls put to each random policy."""
pytestmark = pytest.mark.timeout(max(120, DECISIONS // 100))

# --- random policies and calls ------------------------------------------------------------------------

ROLES = ("sales", "staff", "lead", "anyone")
PEOPLE = ("user:alice", "user:bob", "user:none", "agent:writer", "agent:reader")
TENANTS = ("acme", "globex")
EFFECTS = {
    "crm.get": "read",
    "crm.set": "write",
    "crm.drop": "destructive",
    "mail.send": "send",
    "crmx.get": "read",
    "secret:crm.key": "use",
}
CONDITIONS = (
    "r.ctx.args.amount > 10",
    'has(r.ctx, "args.amount") and r.ctx.args.amount > 10',
    'not has(r.ctx, "args.amount") or r.ctx.args.amount * 2 <= 10.5',
    'has(r.ctx, "before.stage") and r.ctx.before.stage == "won"',
    'r.ctx.before.stage != "won"',
    '"untrusted" in r.ctx.labels',
    'r.ctx.user == "alice"',
    'r.ctx.agent in ("writer", "nobody")',
    'r.ctx.tool.effect == "read" or r.ctx.tenant == "acme"',
    "r.ctx.args.share",
    "0 < r.ctx.args.amount < 100",
    "r.ctx.args.note is None",
    "False",
)
ABOUT_BEFORE = tuple(text for text in CONDITIONS if "before" in text)


@dataclass(frozen=True)
class Tool:
    name: str
    effect: Any
    labels: frozenset[str] = frozenset()
    idempotent: bool = False
    pack: str = "crm"


def random_rows(chance: random.Random) -> list[str]:
    """At most ten rows: mostly broad allows, else everything would be denied; some of every other kind."""
    pick = chance.choice

    def subject() -> str:
        return pick(("*", *ROLES, *ROLES, *PEOPLE))

    def head() -> str:
        tenant = pick(("*", *TENANTS, *TENANTS))
        name = pick(("*", "*", "crm.*", "crm.*", "mail.*", "secret:crm.*", *EFFECTS))
        return f"{subject()}, {tenant}, {name}"

    def act() -> str:
        return pick(("*", "*", "read", "write", "send", "destructive", "use"))

    def when() -> str:
        return "True" if chance.random() < 0.55 else pick((*CONDITIONS, *ABOUT_BEFORE, *ABOUT_BEFORE))

    rows = [f"p, {head()}, {act()}, {when()}, allow" for _ in range(chance.randint(1, 3))]
    if chance.random() < 0.8:
        rows.append(f"p, {pick(('*', '*', 'anyone'))}, {pick(('*', '*', 'acme'))}, *, *, True, allow")
    rows += [f"p, {head()}, {act()}, {when()}, deny" for _ in range(chance.choice((0, 0, 1)))]
    rows += [f"p2, {head()}, {act()}, {when()}, requester|lead" for _ in range(chance.choice((0, 1, 2)))]
    if chance.random() < 0.6:
        rows.append(f"p2, *, *, {pick(('*', 'crm.*'))}, {act()}, {when()}, user:bob")
    rows += [f"p3, {head()}, 5/day per user" for _ in range(chance.choice((0, 1)))]
    while len(rows) < 10 and chance.random() < 0.9:
        rows.append(random_link(chance))
    chance.shuffle(rows)
    return rows


def random_link(chance: random.Random) -> str:
    tenant = chance.choice(("*", *TENANTS))
    if chance.random() < 0.6:
        return f"g, {chance.choice(PEOPLE)}, {chance.choice(ROLES)}, {tenant}"
    lower = chance.randrange(len(ROLES) - 1)  # upwards only, so no cycle
    return f"g, {ROLES[lower]}, {chance.choice(ROLES[lower + 1 :])}, {tenant}"


def random_call(chance: random.Random) -> tuple[Principal, Tool, Facts]:
    name = chance.choice(tuple(EFFECTS))
    who = Principal(
        chance.choice(("writer", "reader")), chance.choice(("alice", "bob", None)), chance.choice(TENANTS)
    )
    arguments: dict[str, Any] = {
        "note": chance.choice((None, "x")),
        "share": chance.choice((0.0, 0.5, True, False)),
    }
    if chance.random() < 0.7:
        arguments["amount"] = chance.choice((1, 5, 50, 500))
    labels = frozenset({"untrusted"} if chance.random() < 0.4 else ())
    before = chance.choice((None, {"stage": "won"}, {"stage": "open"}, {}))
    return who, Tool(name, EFFECTS[name]), Facts(arguments, labels, before)


# --- plain Casbin -------------------------------------------------------------------------------------


class Plain:
    """pycasbin as it comes, with the domain matching function that the design asks for."""

    def __init__(self, rows: list[str]) -> None:
        self.rows = rows
        self.enforcer = self._enforcer([row for row in rows if not row.startswith("p3")])
        self.links = [row for row in rows if row.startswith("g")]
        self.alone = {row: self._alone(row) for row in rows if not row.startswith("g")}

    def _enforcer(self, rows: list[str]) -> Any:
        enforcer = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL), StringAdapter("\n".join(rows)))
        enforcer.add_named_domain_matching_func("g", util.key_match)
        enforcer.build_role_links()
        enforcer.add_function("has", has)
        return enforcer

    def _alone(self, row: str) -> Any:
        """An enforcer with this row and the role links only. A p3 row is asked as a p2 row for every act."""
        if row.startswith("p3"):
            head = row.split(", ")[1:-1]
            row = ", ".join(("p2", *head, "*", "True", "requester"))
        return self._enforcer([row, *self.links])

    def enforce(self, subject: str, who: Principal, tool: Tool, ctx: Namespace) -> bool | None:
        """Casbin's own answer for p; None where it raises."""
        try:
            return bool(self.enforcer.enforce(subject, who.tenant, tool.name, tool.effect, ctx))
        except Exception:
            return None

    def matches(self, row: str, subject: str, who: Principal, tool: Tool, ctx: Namespace) -> bool | None:
        """Whether one row matches; None where its condition raises."""
        question = (subject, who.tenant, tool.name, tool.effect, ctx)
        which = () if row.startswith("p,") else (EnforceContext("r", "p2", "e2", "m2"),)
        try:
            _, explained = self.alone[row].enforce_ex(*which, *question)
        except Exception:
            return None
        return bool(explained)

    def matching(self, kind: str, who: Principal, tool: Tool, ctx: Namespace) -> dict[str, bool | None]:
        """The rows of a kind that match for user or agent; None: raises."""
        found = {}
        for row in self.alone:
            if row.startswith(kind):
                answers = {self.matches(row, subject, who, tool, ctx) for subject in who.subjects}
                if answers != {False}:
                    found[row] = None if None in answers else True
        return found


@dataclass(frozen=True)
class Expected:
    verdict: str
    rows: frozenset[str] | None = None
    reviews: frozenset[str] = frozenset()
    quotas: frozenset[str] = frozenset()


def expected(plain: Plain, who: Principal, tool: Tool, facts: Facts, *, with_rows: bool) -> Expected:
    ctx = context(who, tool, facts, {}, frozenset({"tool", "now"}))
    answers = [plain.enforce(subject, who, tool, ctx) for subject in who.subjects]
    rows = plain.matching("p,", who, tool, ctx) if with_rows else None
    if not all(answers):
        denies = rows and frozenset(row for row, match in rows.items() if match and row.endswith("deny"))
        return Expected("deny", None if rows is None or None in rows.values() else denies or frozenset())
    reviews = plain.matching("p2", who, tool, ctx)
    if None in reviews.values():
        return Expected("deny")
    quotas = plain.matching("p3", who, tool, ctx)
    if of_secrets := frozenset(row for row in (*reviews, *quotas) if is_of_a_secret_alone(row)):
        return Expected("deny", of_secrets)  # Casbin says that it matches, and nobody can be asked
    verdict = "review" if reviews else "allow"
    return Expected(verdict, rows and frozenset(rows), frozenset(reviews), frozenset(quotas))


def is_of_a_secret_alone(row: str) -> bool:
    kind, _, _, name, act, *_ = row.split(", ")
    return name.startswith("secret:") or (kind == "p2" and act == "use")


@dataclass(frozen=True)
class Sample:
    rows: tuple[str, ...]
    calls: tuple[tuple[Principal, Tool, Facts, Expected], ...]


@lru_cache(1)
def corpus() -> tuple[Sample, ...]:
    """Casbin parses a text anew each time it evaluates it; here it gets the tree that it had before."""
    with mock.patch.object(expression, "ast", SimpleNamespace(parse=cache(ast.parse))):
        return tuple(samples(random.Random(20_000), DECISIONS // CALLS))


def samples(chance: random.Random, count: int) -> Iterator[Sample]:
    for _ in range(count):
        rows = random_rows(chance)
        plain = Plain(rows)
        calls = []
        for number in range(CALLS):
            call = random_call(chance)
            calls.append((*call, expected(plain, *call, with_rows=number % 5 == 0)))
        yield Sample(tuple(rows), tuple(calls))


# --- the comparison -----------------------------------------------------------------------------------


def disagreements(found: tuple[Sample, ...]) -> Iterator[str]:
    for sample in found:
        policy = Policy.of(MODEL, "\n".join(sample.rows))
        for who, tool, facts, want in sample.calls:
            got = policy.decide(policy.candidates(who, tool), facts)
            if not agree(got, want):
                listing = "\n".join(sample.rows)
                yield f"{listing}\n{who}\n{tool}\n{facts}\nCasbin: {want}\nindex:  {got}"


def agree(got: Decision, want: Expected) -> bool:
    """The same verdict, and the same rows. Of a deny that is certain anyway, not every condition is
    evaluated.
    """
    if got.verdict != want.verdict or got.is_open:
        return False
    if got.verdict != "deny":
        same = texts(got.reviews) == want.reviews and texts(got.quotas) == want.quotas
        return same and want.rows in (None, texts(got.rows))
    if want.rows is None:
        return True
    named = texts(got.rows)
    return named <= want.rows and (bool(named) == bool(want.rows) or "has no allow row" in got.reason)


def texts(rows: Any) -> frozenset[str]:
    return frozenset(", ".join((row.kind, *row.values)) for row in rows)


def test_index_and_casbin_agree_on_20000_decisions() -> None:
    found = corpus()
    assert sum(len(sample.calls) for sample in found) == DECISIONS // CALLS * CALLS >= 20_000
    assert all(len(sample.rows) <= 10 for sample in found)
    assert next(disagreements(found), None) is None


def test_the_sample_cannot_pass_on_denials_alone() -> None:
    verdicts = [call[3].verdict for sample in corpus() for call in sample.calls]
    allowed = 1 - verdicts.count("deny") / len(verdicts)
    assert 0.2 < allowed < 0.8
    assert verdicts.count("review") > len(verdicts) * 0.05
    assert verdicts.count("allow") > len(verdicts) * 0.1


def test_the_sample_holds_every_kind_of_row_and_every_condition() -> None:
    rows = [row for sample in corpus() for row in sample.rows]
    for kind in ("p,", "p2,", "p3,", "g,"):
        assert any(row.startswith(kind) for row in rows)
    for condition in CONDITIONS:
        assert any(condition in row for row in rows), condition
    assert any(row.startswith("g,") and row.endswith("*") for row in rows)
    assert any(row.endswith("deny") for row in rows)


# --- planted bugs -------------------------------------------------------------------------------------


def ignore_deny_rows(patch: pytest.MonkeyPatch) -> None:
    whole = _plan.Side.__init__

    def init(self: Any, subject: str, rules: Any) -> None:
        whole(self, subject, rules)
        self.denies = []

    patch.setattr(_plan.Side, "__init__", init)


def ignore_conditional_deny_rows(patch: pytest.MonkeyPatch) -> None:
    whole = _plan.Side.__init__

    def init(self: Any, subject: str, rules: Any) -> None:
        whole(self, subject, rules)
        self.denies = [rule for rule in self.denies if rule.condition is None]

    patch.setattr(_plan.Side, "__init__", init)


def ignore_rows_of_every_tenant(patch: pytest.MonkeyPatch) -> None:
    whole = Index._objects

    def objects(self: Index, subject: str, tenant: str) -> Any:
        kept = self._tenants
        self._tenants = {name: value for name, value in kept.items() if name != ANY}
        try:
            return whole(self, subject, tenant)
        finally:
            self._tenants = kept

    patch.setattr(Index, "_objects", objects)


def match_a_prefix_one_short(patch: pytest.MonkeyPatch) -> None:
    """`crm.*` also matches `crmx.get`."""
    patch.setattr(Index, "names", staticmethod(lambda name: (name, name[:3] + ".*", ANY)))


def forget_pack_wildcards(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Index, "names", staticmethod(lambda name: (name, ANY)))


def forget_the_tool_wildcard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Index, "names", staticmethod(lambda name: (name, name.partition(".")[0] + ".*")))


def forget_everybody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_index, "ANY", "nobody")


def ask_for(which: Callable[[tuple[str, str]], tuple[str, str]]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        whole = _engine.IndexEngine.plan

        @dataclass(frozen=True)
        class Half:
            subjects: tuple[str, str]
            tenant: str

        def plan(self: Any, principal: Principal, tool: Tool) -> Any:
            return whole(self, Half(which(principal.subjects), principal.tenant), tool)  # type: ignore[arg-type]

        patch.setattr(_engine.IndexEngine, "plan", plan)

    return plant


def ignore_role_chains(patch: pytest.MonkeyPatch) -> None:
    def closure(self: RoleGraph, subject: str, tenant: str) -> tuple[str, ...]:
        links = (self._links.get(tenant, {}), self._links.get(ANY, {}))
        return (subject, *(role for one in links for role in one.get(subject, ())))

    patch.setattr(RoleGraph, "closure", closure)


def ignore_roles_of_every_tenant(patch: pytest.MonkeyPatch) -> None:
    whole = RoleGraph.__init__

    def init(self: RoleGraph, rows: Any = ()) -> None:
        whole(self, [row for row in rows if row.values[2] != ANY])

    patch.setattr(RoleGraph, "__init__", init)


def lend_roles_across_tenants(patch: pytest.MonkeyPatch) -> None:
    whole = RoleGraph.closure

    def closure(self: RoleGraph, subject: str, tenant: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(role for one in TENANTS for role in whole(self, subject, one)))

    patch.setattr(RoleGraph, "closure", closure)


def ignore_the_effect(patch: pytest.MonkeyPatch) -> None:
    whole = _index.Rule.__init__

    def init(self: Any, row: Any, condition: Any) -> None:
        whole(self, row, condition)
        self.act = ANY

    patch.setattr(_index.Rule, "__init__", init)


def take_a_raise_for_false(patch: pytest.MonkeyPatch) -> None:
    whole = _judge.evaluate

    def evaluate(condition: Any, ctx: Any) -> bool:
        try:
            return whole(condition, ctx)
        except _judge.Raised:
            return False

    patch.setattr(_judge, "evaluate", evaluate)


def take_absence_for_none(patch: pytest.MonkeyPatch) -> None:
    whole = _candidates.context

    def ctx(who: Any, tool: Any, facts: Facts, log: Any, roots: Any) -> Any:
        before = facts.before if facts.before is not None else {"stage": None}
        return whole(who, tool, Facts(facts.arguments, facts.labels, before), log, roots)

    patch.setattr(_candidates, "context", ctx)


def one_subject_is_enough(patch: pytest.MonkeyPatch) -> None:
    whole = _plan.Plan.__init__

    def init(self: Any, call: Any, user: Any, agent: Any) -> None:
        user.allows = agent.allows = user.allows + agent.allows
        whole(self, call, user, agent)

    patch.setattr(_plan.Plan, "__init__", init)


def only_the_users_reviews(patch: pytest.MonkeyPatch) -> None:
    whole = _plan.Plan.__init__

    def init(self: Any, call: Any, user: Any, agent: Any) -> None:
        agent.reviews = []
        whole(self, call, user, agent)

    patch.setattr(_plan.Plan, "__init__", init)


def only_the_last_review(patch: pytest.MonkeyPatch) -> None:
    """What plain Casbin reports of p2."""
    whole = _plan.granted
    patch.setattr(
        _plan, "granted", lambda plan, allows, reviews, inputs: whole(plan, allows, reviews[-1:], inputs)
    )
    patch.setattr(
        _judge, "granted", lambda plan, allows, reviews, inputs: whole(plan, allows, reviews[-1:], inputs)
    )


def only_the_agents_quotas(patch: pytest.MonkeyPatch) -> None:
    whole = _plan.Plan.__init__

    def init(self: Any, call: Any, user: Any, agent: Any) -> None:
        user.quotas = []
        whole(self, call, user, agent)

    patch.setattr(_plan.Plan, "__init__", init)


def remember_without_the_tenant(patch: pytest.MonkeyPatch) -> None:
    whole = _engine.IndexEngine.candidates
    seen: dict[Any, Any] = {}

    def candidates(self: Any, principal: Principal, tool: Tool) -> Any:
        key = (id(self), principal.subjects, tool.name)
        return seen.setdefault(key, whole(self, principal, tool))

    patch.setattr(_engine.IndexEngine, "candidates", candidates)


BUGS = (
    ignore_deny_rows,
    ignore_conditional_deny_rows,
    ignore_rows_of_every_tenant,
    match_a_prefix_one_short,
    forget_pack_wildcards,
    forget_the_tool_wildcard,
    forget_everybody,
    ignore_role_chains,
    ignore_roles_of_every_tenant,
    lend_roles_across_tenants,
    ignore_the_effect,
    take_a_raise_for_false,
    take_absence_for_none,
    one_subject_is_enough,
    only_the_users_reviews,
    only_the_last_review,
    only_the_agents_quotas,
    remember_without_the_tenant,
)
PLANTS = [pytest.param(bug, id=bug.__name__) for bug in BUGS] + [
    pytest.param(ask_for(lambda both: (both[0], both[0])), id="forget_the_agent"),
    pytest.param(ask_for(lambda both: (both[1], both[1])), id="forget_the_user"),
]


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert next(disagreements(corpus()), None) is not None


# --- laws that hold over the same corpus, whatever Casbin says ---------------------------------------

BEFORES = (None, {}, {"stage": "won"}, {"stage": "open"}, {"stage": 7})


def some_calls(every: int) -> Iterator[tuple[tuple[str, ...], Policy, Principal, Tool, Facts]]:
    """Each `every`-th call of the corpus, with its policy."""
    for sample in corpus():
        policy = Policy.of(MODEL, "\n".join(sample.rows))
        for who, tool, facts, _ in sample.calls[::every]:
            yield sample.rows, policy, who, tool, facts


def decided(policy: Policy, who: Principal, tool: Tool, facts: Facts) -> Decision:
    return policy.decide(policy.candidates(who, tool), facts)


def test_what_is_final_without_the_record_is_final_with_any_record() -> None:
    final = opened = 0
    for rows, policy, who, tool, facts in some_calls(2):
        early = decided(policy, who, tool, Facts(facts.arguments, facts.labels, OPEN))
        late = [
            decided(policy, who, tool, Facts(facts.arguments, facts.labels, before)) for before in BEFORES
        ]
        assert not any(one.is_open for one in late)
        if early.is_open:
            opened += 1
            assert early.verdict == "deny", "nobody may run on an open decision"
            assert "before" in policy.candidates(who, tool).reads
        else:
            final += 1
            assert {one.verdict for one in late} == {early.verdict}, rows
    assert final > 1000
    assert opened > 100


def test_an_open_decision_asks_for_no_review_that_would_not_be_asked_for() -> None:
    for rows, policy, who, tool, facts in some_calls(7):
        early = decided(policy, who, tool, Facts(facts.arguments, facts.labels, OPEN))
        for before in BEFORES:
            late = decided(policy, who, tool, Facts(facts.arguments, facts.labels, before))
            if late.verdict != "deny":
                assert set(early.reviews) <= set(late.reviews), rows


def test_what_is_not_read_cannot_change_a_decision() -> None:
    other = {
        "args": lambda facts: Facts({"amount": "?"}, facts.labels, facts.before),
        "labels": lambda facts: Facts(facts.arguments, frozenset({"other"}), facts.before),
        "before": lambda facts: Facts(facts.arguments, facts.labels, {"stage": "other"}),
    }
    unread = 0
    for rows, policy, who, tool, facts in some_calls(5):
        candidates = policy.candidates(who, tool)
        first = policy.decide(candidates, facts)
        for root, change in other.items():
            if root not in candidates.reads:
                unread += 1
                assert policy.decide(candidates, change(facts)).verdict == first.verdict, rows
    assert unread > 5000


def test_inputs_name_nothing_but_what_is_read() -> None:
    for _, policy, who, tool, facts in some_calls(5):
        candidates = policy.candidates(who, tool)
        for name in policy.decide(candidates, facts).inputs:
            root = name.removeprefix("has(").rstrip(")").partition(".")[0]
            assert root in candidates.reads


def test_what_is_not_offered_is_denied_whatever_the_facts() -> None:
    withheld = 0
    for _, policy, who, tool, facts in some_calls(5):
        candidates = policy.candidates(who, tool)
        if not candidates.offered:
            withheld += 1
            assert candidates.reads == frozenset()
            for before in (*BEFORES, OPEN):
                decision = policy.decide(candidates, Facts(facts.arguments, facts.labels, before))
                assert (decision.verdict, decision.is_open) == ("deny", False)
    assert withheld > 1000


def test_the_order_of_rows_does_not_matter() -> None:
    chance = random.Random(3)
    for sample in corpus()[::4]:
        policy = Policy.of(MODEL, "\n".join(sample.rows))
        turned = Policy.of(MODEL, "\n".join(chance.sample(sample.rows, len(sample.rows))))
        for who, tool, facts, _ in sample.calls[::5]:
            one, other = decided(policy, who, tool, facts), decided(turned, who, tool, facts)
            assert one.verdict == other.verdict
            assert texts(one.reviews) == texts(other.reviews)
            assert texts(one.quotas) == texts(other.quotas)


STRICTNESS = {"allow": 0, "review": 1, "deny": 2}


@pytest.mark.parametrize(
    "more",
    [
        "p, *, *, *, *, True, deny",
        "p, user:alice, *, crm.*, *, True, deny",
        "p, agent:writer, acme, *, write, r.ctx.args.amount > 10, deny",
        'p, *, *, *, *, r.ctx.before.stage == "won", deny',
        "p2, *, *, *, *, True, lead",
        "p2, anyone, globex, mail.*, send, r.ctx.args.amount > 1, lead",
    ],
)
def test_a_deny_or_review_row_more_never_permits_more(more: str) -> None:
    stricter = 0
    for sample in corpus()[::4]:
        policy = Policy.of(MODEL, "\n".join(sample.rows))
        tightened = Policy.of(MODEL, "\n".join((*sample.rows, more)))
        for who, tool, facts, _ in sample.calls[::5]:
            one, other = decided(policy, who, tool, facts), decided(tightened, who, tool, facts)
            assert STRICTNESS[one.verdict] <= STRICTNESS[other.verdict], sample.rows
            stricter += STRICTNESS[one.verdict] < STRICTNESS[other.verdict]
    assert stricter > 0


def test_an_unconditional_allow_row_more_never_permits_less() -> None:
    looser = 0
    for sample in corpus()[::4]:
        policy = Policy.of(MODEL, "\n".join(sample.rows))
        loosened = Policy.of(MODEL, "\n".join((*sample.rows, "p, *, *, *, *, True, allow")))
        for who, tool, facts, _ in sample.calls[::5]:
            one, other = decided(policy, who, tool, facts), decided(loosened, who, tool, facts)
            assert STRICTNESS[one.verdict] >= STRICTNESS[other.verdict], sample.rows
            looser += STRICTNESS[one.verdict] > STRICTNESS[other.verdict]
    assert looser > 0


def test_a_remembered_decision_is_the_decision() -> None:
    for sample in corpus()[::4]:
        policy = Policy.of(MODEL, "\n".join(sample.rows))
        for who, tool, facts, _ in sample.calls[::3]:
            fresh = decided(Policy.of(MODEL, "\n".join(sample.rows)), who, tool, facts)
            assert decided(policy, who, tool, facts) == decided(policy, who, tool, facts) == fresh


def test_a_decision_does_not_depend_on_the_sessions_and_runs_that_no_row_reads() -> None:
    for _, policy, who, tool, facts in some_calls(11):
        other = Principal(who.agent, who.user, who.tenant, session="other", run="other")
        assert decided(policy, who, tool, facts) == decided(policy, other, tool, facts)


def test_explain_tells_of_the_same_decision_and_the_same_rows() -> None:
    for rows, policy, who, tool, facts in some_calls(9):
        found = explain(policy, who, tool, facts)
        assert found.decision == decided(policy, who, tool, facts)
        fired = {one.row for one in found.considered if one.outcome in ("matches", "condition raises")}
        decision = found.decision
        assert {*decision.rows, *decision.reviews, *decision.quotas} <= fired, rows
        assert bool(found.remedies) == (decision.verdict == "deny"), rows


def test_doing_all_that_explain_says_permits_the_call() -> None:
    """Add what it would add, drop what it would drop, until it says no more."""
    mended = 0
    for rows, policy, who, tool, facts in some_calls(25):
        lines = list(rows)
        for _ in range(4):
            found = explain(policy, who, tool, facts)
            if not found.remedies:
                break
            for remedy in found.remedies:
                what, _, rest = remedy.partition(": ")
                if what == "add":
                    lines.append(rest)
                else:
                    lines.remove(rest[rest.index("(") + 1 : -1])
            policy = Policy.of(MODEL, "\n".join(lines))
            mended += 1
        assert decided(policy, who, tool, facts).verdict != "deny", rows
    assert mended > 100


@pytest.mark.filterwarnings("ignore::toolcrib.errors.ToolcribWarning")
def test_a_custom_model_that_says_the_same_decides_the_same() -> None:
    """The plain engine against the index: the model differs only in the order of its terms."""
    terms = " && keyMatch(r.obj, p.obj)"
    model = MODEL.replace(terms, "").replace("eval(p.when)", "keyMatch(r.obj, p.obj) && eval(p.when)")
    for sample in corpus()[:: max(1, len(corpus()) // 60)]:
        text = "\n".join(sample.rows)
        index, plain = Policy.of(MODEL, text), Policy.of(model, text)
        assert (index.is_indexed, plain.is_indexed) == (True, False)
        for who, tool, facts, _ in sample.calls[::4]:
            one, other = decided(index, who, tool, facts), decided(plain, who, tool, facts)
            assert one.verdict == other.verdict, (text, who, tool, facts, one, other)
            assert texts(one.reviews) == texts(other.reviews)
            assert texts(one.quotas) == texts(other.quotas)
