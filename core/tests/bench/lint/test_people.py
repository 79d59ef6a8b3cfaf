"""Roles that nobody holds or nothing uses, and reviews without a second person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Ids = Callable[..., list[tuple[str, int]]]
Lint = Callable[..., Any]
REVIEW = "p2, *, acme, crm.*, write, True, "


# --- roles ---


def test_a_role_that_nobody_holds(ids: Ids) -> None:
    assert ids("p, admin, acme, erp.*, read, True, allow") == [("TC401", 5)]
    assert ids("p3, admin, acme, crm.*, 1/day per user") == [("TC307", 5), ("TC401", 5)]


def test_a_role_that_is_held_in_another_tenant_only(ids: Ids) -> None:
    assert ids("p, sales, globex, erp.*, read, True, allow") == [("TC401", 5)]
    assert ids("p, sales, *, erp.*, read, True, allow") == []


def test_a_role_that_is_held_through_another(ids: Ids) -> None:
    assert ids("g, sales, staff, acme", "p, staff, acme, erp.*, read, True, allow") == []
    assert ids("g, sales, staff, *", "p, staff, acme, erp.*, read, True, allow") == []


def test_what_is_held_everywhere_meets_what_one_tenant_inherits(ids: Ids) -> None:
    rows = ("g, user:eve, guest, *", "g, guest, visitor, acme", "p, visitor, acme, erp.*, read, True, allow")
    assert ids(*rows) == []


def test_a_role_that_only_a_role_without_holders_includes(ids: Ids) -> None:
    found = ids("g, admin, staff, acme", "p, staff, acme, erp.*, read, True, allow")
    assert found == [("TC401", 5), ("TC401", 6)]


def test_it_says_what_may_have_been_meant(lint: Lint) -> None:
    rows = ["g, user:alice, sales, acme", "p, sales, acme, *, *, True, allow"]
    (misspelt,) = lint(*rows, "p, slaes, acme, crm.*, read, True, allow")
    assert "did you mean 'sales'?" in misspelt.remedy
    assert misspelt.column == 4
    found = lint(*rows, "p, alice, acme, crm.*, read, True, allow")
    assert [one.remedy for one in found if one.id == "TC401"] == ["Write user:alice"]


def test_many_rows_of_one_role_are_one_finding(lint: Lint) -> None:
    rows = [f"p, admin, acme, crm.t{number}, read, True, allow" for number in range(9)]
    (found,) = lint(*rows)
    assert found.what == "nobody holds the role 'admin' in tenant acme (also lines 2, 3, 4, 5, 6 and 3 more)"


def test_a_role_that_no_row_uses(ids: Ids, lint: Lint) -> None:
    assert ids("g, user:alice, slaes, acme") == [("TC402", 5)]
    assert ids("g, user:alice, sales, globex") == [("TC403", 5), ("TC402", 5)]
    assert ids("g, user:alice, sales, *") == []
    rows = ["g, user:alice, sales, acme", "p, sales, acme, *, *, True, allow", "g, user:alice, slaes, acme"]
    (found,) = lint(*rows)
    assert (found.remedy, found.column) == ("Did you mean 'sales'?", 16)


@pytest.mark.parametrize(
    "row",
    ["p3, trainee, acme, crm.*, 1/day per user", REVIEW + "trainee|user:dana", "g, trainee, sales, acme"],
)
def test_every_use_of_a_role_counts(ids: Ids, row: str) -> None:
    found = ids("g, user:alice, trainee, acme", row, "g, user:bob, trainee, acme")
    assert "TC402" not in dict(found)


# --- subjects ---


def test_a_subject_without_an_allow_row(ids: Ids) -> None:
    rows = ["g, agent:helper, idle, acme", "p, idle, acme, crm.*, *, True, deny"]
    assert ids(*rows) == [("TC403", 5)]
    assert ids("p3, user:bob, acme, crm.*, 1/day per user") == [("TC307", 5), ("TC403", 5)]


def test_whoever_only_approves_needs_none(ids: Ids) -> None:
    assert ids("g, user:dana, lead, acme", "g, user:eve, lead, acme", REVIEW + "lead") == []


def test_a_row_for_everybody_is_one(ids: Ids) -> None:
    rows = ["g, agent:helper, idle, acme", "p, idle, acme, crm.*, *, True, deny"]
    assert ids(*rows, "p, *, acme, mail.*, read, True, allow") == []


def test_one_that_holds_everywhere_may_be_allowed_somewhere(ids: Ids) -> None:
    assert ids("g, agent:helper, writing, *") == []


# --- approvers ---


def test_a_review_with_a_second_person(ids: Ids) -> None:
    leads = ("g, user:dana, lead, acme", "g, user:eve, lead, acme")
    assert ids(*leads, REVIEW + "lead") == []
    assert ids(*leads, REVIEW + "requester|lead") == []
    assert ids(REVIEW + "user:dana") == []


def test_an_approver_whom_nobody_is(ids: Ids, lint: Lint) -> None:
    assert ids(REVIEW + "lead|user:dana") == [("TC501", 5)]
    assert ids(REVIEW + "user:none|user:dana") == [("TC501", 5)]
    rows = ("g, user:alice, sales, acme", "p, sales, acme, *, *, True, allow")
    (found,) = lint(*rows, "p2, *, acme, crm.*, write, True, user:dana | lead")
    assert found.column == 46


def test_an_approver_role_of_agents_only(ids: Ids) -> None:
    assert ids(REVIEW + "writing|user:dana") == [("TC501", 5)]
    assert ids(REVIEW + "writing") == [("TC504", 5)]


def test_the_requester_as_the_only_possible_approver(ids: Ids, lint: Lint) -> None:
    assert ids(REVIEW + "requester") == [("TC502", 5)]
    assert ids(REVIEW + "requester|lead") == [("TC502", 5)]
    rows = ("g, user:alice, sales, acme", "p, sales, acme, *, *, True, allow")
    (found,) = lint(*rows, REVIEW + "requester|lead")
    assert found.what == "the requester is the only possible approver: no user is or holds 'lead'"


def test_a_review_that_nobody_can_answer(ids: Ids) -> None:
    assert ids(REVIEW + "lead") == [("TC504", 5)]
    assert ids("g, user:dana, lead, globex", REVIEW + "lead") == [("TC402", 5), ("TC504", 6)]


def test_an_approver_who_may_ask_alone(ids: Ids) -> None:
    lead = "g, user:dana, lead, acme"
    assert ids(lead, "g, user:dana, sales, acme", REVIEW + "requester|lead") == [("TC503", 7)]
    assert ids(lead, "g, user:dana, sales, acme", REVIEW + "lead") == [("TC505", 7)]
    assert ids(lead, REVIEW + "lead") == []


def test_a_second_holder_ends_that(ids: Ids) -> None:
    rows = ["g, user:dana, lead, acme", "g, user:dana, sales, acme", "g, user:eve, lead, acme"]
    assert ids(*rows, REVIEW + "lead") == []


def test_an_approver_who_may_ask_for_other_things_only(ids: Ids) -> None:
    rows = ["g, user:dana, lead, acme", "p, user:dana, acme, mail.*, read, True, allow"]
    assert ids(*rows, REVIEW + "lead") == []
