"""Who holds what, where; and which role graphs are refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from casbin import util
from casbin.rbac.default_role_manager import DomainManager

from toolcrib.decisions import Row
from toolcrib.policy._roles import MAX_HOPS, RoleGraph


def graph(*links: str) -> RoleGraph:
    rows = [Row("g", tuple(link.split()), "policy.csv", line) for line, link in enumerate(links, 1)]
    return RoleGraph(rows)


@pytest.mark.parametrize(
    ("say", "links", "tenant", "roles"),
    [
        ("none", [], "acme", ""),
        ("one", ["user:a sales acme"], "acme", "sales"),
        ("not elsewhere", ["user:a sales acme"], "globex", ""),
        ("everywhere", ["user:a sales *"], "globex", "sales"),
        ("several, own tenant first", ["user:a staff *", "user:a sales acme"], "acme", "sales staff"),
        ("inherited", ["user:a sales acme", "sales staff acme"], "acme", "sales staff"),
        ("inherited from everywhere", ["user:a sales acme", "sales staff *"], "acme", "sales staff"),
        ("across tenant patterns", ["user:a x *", "x y acme", "y z *"], "acme", "x y z"),
        ("the chain breaks elsewhere", ["user:a x *", "x y acme", "y z *"], "globex", "x"),
        ("a diamond counts once", ["user:a x *", "user:a y *", "x z *", "y z *"], "acme", "x y z"),
        ("twice the same row", ["user:a x *", "user:a x *", "user:a x acme"], "acme", "x"),
        ("somebody else's", ["user:b x *", "x y *"], "acme", ""),
        ("roles above only, not below", ["user:b x *", "user:a y *", "x y *"], "acme", "y"),
    ],
)
def test_roles_nearest_first(say: str, links: list[str], tenant: str, roles: str) -> None:
    assert graph(*links).closure("user:a", tenant) == ("user:a", *roles.split())


def chain(length: int, tenants: Any = lambda number: "acme") -> list[str]:
    return [f"n{number} n{number + 1} {tenants(number)}" for number in range(length)]


@pytest.mark.parametrize(
    ("say", "links", "what"),
    [
        ("nine rows", chain(9), ""),
        ("ten rows", chain(10), "a chain of 10 g rows in tenant acme"),
        ("ten rows in every tenant", chain(10, lambda n: "*"), "a chain of 10 g rows in tenant *"),
        (
            "ten rows, mixed",
            chain(10, lambda n: "*" if n % 2 else "acme"),
            "a chain of 10 g rows in tenant acme",
        ),
        ("star above, own below", chain(10, lambda n: "*" if n < 5 else "acme"), "a chain of 10"),
        ("own above, star below", chain(10, lambda n: "acme" if n < 5 else "*"), "a chain of 10"),
        ("ten rows of two tenants are no chain", chain(10, lambda n: "acme" if n < 5 else "globex"), ""),
        ("ten thousand", chain(10_000), "a chain of 10000 g rows"),
        ("a cycle of two", ["a b acme", "b a acme"], "a cycle of roles: a > b > a"),
        ("a cycle of one", ["a a acme"], "a cycle of roles: a > a"),
        ("a cycle across patterns", ["a b acme", "b c *", "c a acme"], "a cycle of roles: a > b > c > a"),
        ("a cycle in every tenant", ["a b *", "b a *"], "a cycle of roles"),
        ("a cycle below a subject", ["user:x a acme", "a b acme", "b a acme"], "a cycle of roles: a > b > a"),
        ("a cycle of two tenants is none", ["a b acme", "b a globex"], ""),
        ("a long cycle", [*chain(5000), "n5000 n0 acme"], "a cycle of roles"),
        ("a diamond is no cycle", ["a b *", "a c *", "b d *", "c d *"], ""),
    ],
)
def test_cycles_and_chains(say: str, links: list[str], what: str) -> None:
    problems = graph(*links).problems()
    if not what:
        assert problems == []
        return
    assert what in problems[0].what
    assert problems[0].line > 0
    assert problems[0].remedy


def test_a_problem_in_one_tenant_names_a_row_of_that_tenant() -> None:
    problems = graph("user:a x *", "a b globex", "b a globex").problems()
    assert [problem.line for problem in problems] == [3]


@pytest.mark.parametrize(
    ("say", "links", "line", "what"),
    [
        ("a cycle of one below others", ["user:x sales acme", "sales a acme", "a a acme"], 3, "a > a"),
        ("of the same subject", ["sales staff acme", "sales sales acme"], 2, "sales > sales"),
        ("the last of three", ["b c acme", "c a acme", "a b acme"], 3, "b > c > a > b"),
        ("in the middle of a file", ["a b acme", "b a acme", "a x acme", "user:x a acme"], 2, "a > b > a"),
        ("a row that says it again", ["a b acme", "b a acme", "a b acme"], 2, "a > b > a"),
        ("again in every tenant", ["a b acme", "b a acme", "a b *"], 2, "a > b > a"),
        ("closed by a row of every tenant", ["user:x a acme", "a b acme", "b a *"], 3, "a > b > a"),
        ("another row leads there", ["a a acme", "user:x a acme", "b a acme", "user:y b acme"], 1, "a > a"),
    ],
)
def test_a_cycle_is_told_at_the_row_that_closes_it(say: str, links: list[str], line: int, what: str) -> None:
    (problem,) = graph(*links).problems()
    assert (problem.line, problem.what) == (line, f"a cycle of roles: {what} in tenant acme")
    without = [link for number, link in enumerate(links, 1) if number != line]
    assert graph(*without[: line - 1]).problems() == [], "the rows before it are no cycle"


def test_a_cycle_of_every_tenant_is_told_once() -> None:
    (problem,) = graph("a b *", "b a *", "a x acme", "user:x a globex").problems()
    assert (problem.line, problem.what) == (2, "a cycle of roles: a > b > a in tenant *")


def test_a_long_cycle_is_shortened_and_told_at_its_last_row() -> None:
    (problem,) = graph(*chain(5000), "n5000 n0 acme").problems()
    assert problem.line == 5001
    assert problem.what.startswith("a cycle of roles: n0 > n1 > n2 >")
    assert problem.what.endswith(" > … > n0 in tenant acme")


def casbin_says(links: list[str]) -> DomainManager:
    manager = DomainManager(10)
    manager.add_domain_matching_func(util.key_match)
    for link in links:
        manager.add_link(*link.split())
    return manager


def random_graphs() -> Iterator[list[str]]:
    chance = random.Random(7)
    names = [f"n{number}" for number in range(7)]
    for _ in range(300):
        found = []
        for _ in range(chance.randint(1, 10)):
            low, high = sorted(chance.sample(range(7), 2))
            found.append(f"{names[low]} {names[high]} {chance.choice(['*', 'acme', 'globex'])}")
        yield found


def test_every_closure_is_what_casbins_role_manager_links() -> None:
    linked = 0
    for links in random_graphs():
        mine, theirs = graph(*links), casbin_says(links)
        assert mine.problems() == []
        for tenant in ("acme", "globex", "other"):
            for subject in ("n0", "n1", "n3", "stranger"):
                held = {f"n{number}" for number in range(7) if theirs.has_link(subject, f"n{number}", tenant)}
                assert set(mine.closure(subject, tenant)) - {subject} == held - {subject}, (
                    links,
                    tenant,
                    subject,
                )
                linked += len(held)
    assert linked > 2000


def test_a_chain_of_nine_is_followed_to_its_end_by_both() -> None:
    links = chain(MAX_HOPS)
    assert graph(*links).closure("n0", "acme")[-1] == f"n{MAX_HOPS}"
    assert casbin_says(links).has_link("n0", f"n{MAX_HOPS}", "acme")
    assert not casbin_says(chain(MAX_HOPS + 1)).has_link("n0", f"n{MAX_HOPS + 1}", "acme")
