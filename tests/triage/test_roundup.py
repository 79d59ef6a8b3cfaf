"""On a real Roundup, by one line of the config: parked, answered from another process, and gone on with."""

from __future__ import annotations

import contextlib
import json

import httpx
import pytest

from toolcrib_itsm.sample import DEMO, records

TICKETS = {row["id"]: row for row in records()["ticket"]}


@pytest.fixture
def requester(tracker):
    """Somebody who reports trouble, with a browser's rights."""
    with httpx.Client(
        base_url=f"{tracker.url}/rest/data",
        auth=("user11", tracker.password),
        headers={"X-Requested-With": "rest", "Origin": tracker.url, "Referer": f"{tracker.url}/"},
        trust_env=False,
    ) as client:
        yield client


def opens(requester, name):
    row = TICKETS[name]
    message = {"content": row["description"], "author": "user11"}
    number = requester.post("/msg", json=message).json()["data"]["id"]
    issue = {"title": row["title"], "messages": [number]}
    return requester.post("/issue", json=issue).json()["data"]["id"]


def reads(requester, issue):
    linked = requester.get(f"/issue/{issue}").json()["data"]["attributes"]["messages"]
    seen = []
    for each in linked:
        reply = requester.get(f"/msg/{each['id']}", params={"@verbose": 3})
        with contextlib.suppress(KeyError):
            seen.append(reply.json()["data"]["attributes"]["content"])
    return seen, len(linked)


def test_a_known_trouble_waits_for_a_human_is_answered_and_resolved(at_roundup, requester, api):
    issue = opens(requester, DEMO.known_ticket)
    desk = at_roundup
    parked = desk.triage("--ticket", f"issue{issue}", "--api", api)
    assert parked.returncode == 3, (
        parked.stdout + parked.stderr
    )  # for a desk of one's own nobody's yes is made up
    assert reads(requester, issue)[0] == [TICKETS[DEMO.known_ticket]["description"]]
    approved = desk.admin("approvals", "approve", desk.pending())
    assert approved.returncode == 0, approved.stderr
    done = desk.triage("--ticket", f"issue{issue}", "--api", api)
    assert done.returncode == 0, done.stdout + done.stderr
    seen, there_are = reads(requester, issue)
    assert len(seen) == 2 and "Renew machine certificate" in seen[1]
    assert there_are == 3  # the note is there, and is not shown
    assert desk.ticket(issue)["state"] == "resolved"
    assert len(desk.records(kind="intent", tool="itsm.add_public_comment")) == 1
    used = {path for record in desk.records(kind="intent") for path in record.get("secrets", [])}
    assert "password" not in json.dumps(sorted(map(str, used)))


def test_an_unknown_trouble_is_handed_to_a_person_where_there_are_no_groups(at_roundup, requester):
    issue = opens(requester, DEMO.unknown_ticket)
    desk = at_roundup
    assert desk.triage("--ticket", f"issue{issue}").returncode == 3
    assert desk.admin("approvals", "approve", desk.pending()).returncode == 0
    done = desk.triage("--ticket", f"issue{issue}")
    assert done.returncode == 0, done.stdout + done.stderr
    found = desk.ask("dispatcher", "search_tickets", {"text": "Look into", "limit": 5})["records"]
    (child,) = [each for each in found if each["parent_id"] == issue]
    assert (child["assignee"], child["priority"]) == ("Pavel Strond", "high")
    assert desk.ticket(issue)["active"]
    assert len(reads(requester, issue)[0]) == 2
