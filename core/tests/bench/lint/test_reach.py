"""Rows that load and decide nothing. Each finding has its twin: a row that looks like it and is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Ids = Callable[..., list[tuple[str, int]]]
Lint = Callable[..., Any]


def test_the_base_has_no_findings(ids: Ids) -> None:
    assert ids() == []


# --- shadowed by a deny ---


@pytest.mark.parametrize(
    "deny",
    [
        "p, *, *, *, *, True, deny",
        "p, sales, acme, crm.get, read, True, deny",
        "p, sales, *, crm.*, *, True, deny",
        "p, *, acme, crm.get, *, True, deny",
    ],
)
def test_an_allow_row_under_a_broader_deny(ids: Ids, deny: str) -> None:
    found = ids(deny, "p, sales, acme, crm.get, read, True, allow")
    assert ("TC301", 6) in found


@pytest.mark.parametrize(
    "deny",
    [
        "p, *, globex, *, *, True, deny",
        "p, writing, acme, crm.get, read, True, deny",
        "p, *, *, crm.delete, *, True, deny",
        "p, *, *, crm.*, write, True, deny",
        "p, *, *, mail.*, *, True, deny",
        "p, *, *, crm.*, read, r.ctx.now.hour > 18, deny",
    ],
)
def test_a_deny_that_leaves_something_shadows_nothing(ids: Ids, deny: str) -> None:
    row = "p, sales, acme, crm.get, read, r.ctx.user == 'alice', allow"
    assert not [one for one in ids(deny, row) if one[0] == "TC301"]


def test_a_deny_with_the_same_condition_shadows(ids: Ids) -> None:
    rows = [f"p, sales, acme, mail.*, read, r.ctx.now.hour > 18, {eft}" for eft in ("deny", "allow")]
    assert ids(*rows) == [("TC301", 6)]


def test_a_deny_for_an_inherited_role_shadows(ids: Ids) -> None:
    rows = ("g, sales, staff, acme", "p, staff, acme, crm.*, *, True, deny")
    assert ("TC301", 3) in ids(*rows)


def test_a_deny_for_one_holder_does_not(ids: Ids) -> None:
    assert ids("g, user:bob, sales, acme", "p, user:bob, acme, crm.*, *, True, deny") == []


def test_it_names_the_deny(lint: Lint) -> None:
    (found,) = lint("p, *, *, *, *, True, deny", "p, *, *, *, *, True, allow")
    assert found.what == "line 1 denies every call that this row allows"
    assert (found.line, found.column) == (2, 1)


# --- twice ---


def test_a_row_that_stands_there_twice(ids: Ids) -> None:
    assert ids("p,sales,acme,crm.*,*,True,allow") == [("TC302", 5)]
    assert ids("g, user:alice,  sales, acme") == [("TC302", 5)]


def test_rows_that_differ_in_anything_are_not_twice(ids: Ids) -> None:
    rows = ["p3, *, acme, crm.*, 20/day per user", "p3, *, acme, crm.*, 20/day per agent"]
    assert ids(*rows) == []


# --- covered ---


@pytest.mark.parametrize(
    "row",
    [
        "p, sales, acme, crm.get, read, True, allow",
        "p, sales, acme, crm.*, write, True, allow",
        "p, user:alice, acme, crm.get, read, r.ctx.now.hour > 8, allow",
    ],
)
def test_an_allow_row_under_a_broader_allow(ids: Ids, row: str) -> None:
    assert ids(row) == [("TC303", 5)]


@pytest.mark.parametrize(
    "row", ["p, sales, acme, mail.get, read, True, allow", "p, *, acme, crm.*, read, True, allow"]
)
def test_an_allow_row_that_adds_something(ids: Ids, row: str) -> None:
    assert [one for one in ids(row) if one == ("TC303", 5)] == []


def test_a_deny_under_a_broader_deny(ids: Ids) -> None:
    narrow = "p, *, acme, mail.send, send, r.ctx.now.hour > 18, deny"
    assert ids("p, *, *, mail.*, *, True, deny", narrow) == [("TC305", 6)]
    assert ids("p, *, *, mail.*, read, True, deny", narrow) == []


# --- never true ---


@pytest.mark.parametrize(
    "condition",
    [
        "False",
        "1 > 2",
        "r.ctx.tenant == 'globex'",
        "r.ctx.tool.effect == 'write'",
        "r.ctx.tool.name == 'crm.other' and r.ctx.args.x == 1",
        "r.ctx.tool.pack != 'crm'",
        "r.ctx.user == 'bob'",
        "r.ctx.user not in ('alice', 'x')",
        "not (r.ctx.tenant == 'acme' or r.ctx.args.x == 1)",
        "r.ctx.args.x == 1 and False",
    ],
)
def test_a_condition_that_is_never_true(ids: Ids, condition: str) -> None:
    assert ids(f"p, user:alice, acme, crm.get, read, {condition}, deny") == [("TC304", 5)]


@pytest.mark.parametrize(
    "condition",
    [
        "r.ctx.tenant == 'acme'",
        "r.ctx.user == 'alice'",
        "r.ctx.tool.effect == 'read' and r.ctx.args.x == 1",
        "r.ctx.args.x == 1",
        "r.ctx.agent == 'writer'",
        "r.ctx.tool.name in ('crm.get', 'crm.put')",
        "False or r.ctx.now.hour > 3",
    ],
)
def test_a_condition_that_may_be_true(ids: Ids, condition: str) -> None:
    assert ids(f"p, user:alice, acme, crm.get, read, {condition}, deny") == []


def test_a_wide_row_knows_less(ids: Ids) -> None:
    condition = "r.ctx.tenant == 'globex' or r.ctx.tool.effect == 'send' or r.ctx.user == 'bob'"
    assert ids(f"p, *, *, *, *, {condition}, deny") == []


def test_a_review_that_is_never_true(ids: Ids) -> None:
    assert ids("p2, *, acme, crm.*, read, r.ctx.tenant == 'x', user:dana") == [("TC304", 5)]


# --- reviews and quotas for calls that nothing allows ---


@pytest.mark.parametrize(
    "scope", ["*, globex, crm.*", "*, acme, mail.*", "user:bob, acme, crm.*", "agent:x, *, *"]
)
def test_reviews_and_quotas_that_never_apply(ids: Ids, scope: str) -> None:
    found = ids(f"p2, {scope}, *, True, user:dana", f"p3, {scope}, 1/day per user")
    assert [one for one in found if one[0] != "TC403"] == [("TC306", 5), ("TC307", 6)]


@pytest.mark.parametrize(
    "scope",
    ["*, acme, crm.*", "*, *, *", "sales, acme, crm.get", "user:alice, *, crm.*", "agent:writer, acme, *"],
)
def test_reviews_and_quotas_that_apply(ids: Ids, scope: str) -> None:
    assert ids(f"p2, {scope}, *, True, user:dana", f"p3, {scope}, 1/day per user") == []


def test_a_review_for_another_effect_than_what_is_allowed(ids: Ids) -> None:
    rows = ["p, sales, acme, mail.*, read, True, allow", "p2, *, acme, mail.*, send, True, user:dana"]
    assert ids(*rows) == [("TC306", 6)]


def test_a_review_of_what_is_denied_anyway(ids: Ids) -> None:
    rows = ["p, *, *, crm.delete, *, True, deny", "p2, *, acme, crm.delete, *, True, user:dana"]
    assert ids(*rows) == [("TC306", 6)]
    assert ids(*rows, "p3, *, acme, crm.delete, 1/day per user") == [("TC306", 6), ("TC307", 7)]


def test_a_role_row_applies_through_another_role_of_its_holders(ids: Ids) -> None:
    rows = ["g, user:alice, trainee, acme", "p2, trainee, acme, crm.*, *, True, user:dana"]
    assert ids(*rows) == []
    anywhere = ["g, user:alice, trainee, acme", "p2, trainee, *, crm.*, *, True, user:dana"]
    assert ids(*anywhere) == []


def test_a_policy_without_allow_rows(lint: Lint) -> None:
    assert [one.id for one in lint("# nothing yet")] == ["TC300"]
