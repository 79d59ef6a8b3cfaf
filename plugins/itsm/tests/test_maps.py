"""What vendors' numbers and words become, and what becomes of those that nobody foresaw."""

from datetime import UTC, datetime

import pytest

from toolcrib.errors import ToolError, VendorRefused
from toolcrib_itsm import _roundup_map as roundup
from toolcrib_itsm import _servicenow_map as servicenow
from toolcrib_itsm._roundup_rest import Item
from toolcrib_itsm._values import checked_changes, words_of

# --- ServiceNow -----------------------------------------------------------------------------------


def task(**cells):
    row = {"sys_id": "a" * 32, "sys_class_name": "incident", "number": "INC1", "state": "1", "active": "true"}
    return {name: {"value": value, "display_value": value} for name, value in {**row, **cells}.items()}


@pytest.mark.parametrize(
    ("table", "state", "active", "ours", "open_"),
    [
        ("incident", "1", "true", "new", True),
        ("incident", "2", "true", "in_progress", True),
        ("incident", "3", "true", "on_hold", True),
        ("incident", "6", "true", "resolved", False),  # active to ServiceNow, done to the desk
        ("incident", "7", "false", "closed", False),
        ("incident", "8", "false", "canceled", False),
        ("incident", "42", "true", "in_progress", False),  # an instance's own state is nothing to work at
        ("change_request", "-5", "true", "new", True),
        ("change_request", "-1", "true", "in_progress", True),
        ("change_request", "3", "false", "closed", False),
        ("change_request", "4", "false", "canceled", False),
        ("change_request", "77", "false", "closed", False),
        ("sc_request", "1", "true", "in_progress", True),
        ("sc_request", "3", "false", "closed", False),
    ],
)
def test_a_state_of_servicenow_is_one_of_ours(table, state, active, ours, open_):
    found = servicenow.ticket(task(sys_class_name=table, state=state, active=active))
    assert (found.state, found.active) == (ours, open_)


@pytest.mark.parametrize(
    "cells", [{"sys_class_name": "problem"}, {"sys_class_name": ""}, {"opened_at": "soon"}]
)
def test_a_record_of_another_kind_is_told_and_not_guessed(cells):
    with pytest.raises(ToolError, match="cannot be read") as failed:
        servicenow.ticket(task(**cells))
    assert failed.value.happened is None


@pytest.mark.parametrize(
    ("element", "internal"),
    [("comments", False), ("work_notes", True), ("", True), ("approval_history", True)],
)
def test_whatever_is_not_plainly_a_comment_is_internal(element, internal):
    entry = servicenow.entry(task(element=element, value="x"))
    assert entry.internal is internal


def test_an_article_loses_its_tags_and_keeps_its_words():
    row = task(
        text="<p>Open <b>the</b> portal&nbsp;now</p><li>a &lt; b</li><script>x()</script>", number="KB1"
    )
    assert servicenow.article(row).text == "Open the portal\xa0now\na < b\nx()"


def test_a_time_is_utc_whatever_is_shown():
    row = task()
    row["opened_at"] = {"value": "2026-11-02 08:00:00", "display_value": "02/11/2026 09:00:00"}
    assert servicenow.ticket(row).opened_at == datetime(2026, 11, 2, 8, tzinfo=UTC)


# --- Roundup --------------------------------------------------------------------------------------


def issue(**values):
    return Item("7", {"title": "x", **values})


@pytest.mark.parametrize(
    ("status", "ours", "active"),
    [
        ("unread", "new", True),
        ("chatting", "in_progress", True),
        ("testing", "in_progress", True),
        ("need-eg", "on_hold", True),
        ("deferred", "on_hold", True),
        ("resolved", "resolved", False),
        ("done-cbb", "resolved", False),
    ],
)
def test_a_status_of_roundup_is_one_of_our_states(status, ours, active):
    found = roundup.ticket(issue(status={"id": "1", "name": status}))
    assert (found.state, found.active) == (ours, active)


def test_an_issue_without_a_status_is_new():
    found = roundup.ticket(issue(status=None, priority=None, keyword=[]))
    assert (found.state, found.priority, found.category) == ("new", None, None)


def test_a_message_is_internal_only_if_it_says_so():
    assert roundup.entry(Item("1", {"private": True, "content": "x"})).internal
    assert not roundup.entry(Item("1", {"private": None, "content": "x"})).internal
    assert not roundup.entry(Item("1", {"content": "x"})).internal


@pytest.mark.parametrize(
    ("state", "active_only", "found"),
    [
        (None, True, ["unread", "in-progress", "deferred"]),
        (None, False, ["unread", "in-progress", "deferred", "resolved"]),
        ("on_hold", True, ["deferred"]),
        ("resolved", False, ["resolved"]),
        ("resolved", True, []),
        ("canceled", False, []),
    ],
)
def test_only_what_the_tracker_knows_is_searched_for(state, active_only, found):
    known = ("unread", "in-progress", "deferred", "resolved")
    assert roundup.states_of(state, active_only, known) == found


@pytest.mark.parametrize("value", [None, "7", 7, [], {"id": 7}, {"id": None}, {}])
def test_a_link_that_leads_nowhere_is_none(value):
    assert roundup.link(value) is None


# --- what tools are given -------------------------------------------------------------------------

ALLOWED = ("title", "category", "priority", "state", "ci_id", "parent_id")


@pytest.mark.parametrize(
    "changes",
    [
        {"priority": "low"},
        {"state": "on_hold", "category": "network"},
        {"category": None, "ci_id": None, "parent_id": None},
        {"ci_id": "a" * 32},
    ],
)
def test_changes_that_are_allowed_pass_as_they_are(changes):
    assert checked_changes(changes, ALLOWED) == changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"description": "x"}, "may not be changed"),
        ({"work_notes": "x"}, "may not be changed"),
        ({"comments": "x"}, "may not be changed"),
        ({"sys_id": "x"}, "may not be changed"),
        ({"state": "resolved"}, "cannot be 'resolved'"),
        ({"priority": "1^active=true"}, "cannot be"),
        ({"priority": None}, "cannot be empty"),
        ({"category": " "}, "cannot be empty"),
        ({"ci_id": "1' OR '1'='1"}, "cannot be"),
        ({"parent_id": "../../user/1"}, "cannot be"),
        ({"title": "x" * 161}, "161 characters"),
        ({"category": "x" * 81}, "81 characters"),
    ],
)
def test_changes_that_are_not_are_refused(changes, words):
    with pytest.raises(VendorRefused, match=words) as refused:
        checked_changes(changes, ALLOWED)
    assert refused.value.happened is False


def test_a_search_has_at_most_eight_words_each_once():
    assert words_of("VPN vpn  drops\n") == ("vpn", "drops")
    assert len(words_of(" ".join(f"w{n}" for n in range(20)))) == 8
    with pytest.raises(VendorRefused, match="nothing to search for"):
        words_of(" \n\t")
