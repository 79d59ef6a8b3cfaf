"""On the sample desk, to both ends, with every refusal on the way."""

from __future__ import annotations

import re
import signal

import pexpect
import pytest

from toolcrib_itsm.sample import DEMO


def test_a_known_trouble_is_answered_and_resolved(desk, api):
    done = desk.triage("--api", api)
    assert (done.returncode, done.stderr) == (0, "")
    ticket = desk.ticket(DEMO.known_ticket)
    assert (ticket["state"], ticket["resolution"]) == ("resolved", "solution")
    assert (ticket["category"], ticket["priority"]) == ("network", "high")
    note, answer = desk.journal(DEMO.known_ticket)
    assert (note["internal"], answer["internal"]) == (True, False)
    assert "VPN drops after a laptop update" in note["text"]
    assert "Renew machine certificate" in answer["text"]
    assert desk.records(kind="intent", tool="itsm.add_public_comment")[0]["approver"] == ["alice"]


def test_an_unknown_trouble_becomes_a_child_incident_of_the_group(desk, api):
    done = desk.triage("--api", api, "--ticket", DEMO.unknown_ticket)
    assert (done.returncode, done.stderr) == (0, "")
    (found,) = desk.ask("dispatcher", "search_tickets", {"text": "Look into", "limit": 5})["records"]
    assert (found["parent_id"], found["group"], found["priority"]) == (
        DEMO.unknown_ticket,
        "Field Support",
        "high",
    )
    parent = desk.ticket(DEMO.unknown_ticket)
    assert (parent["state"], parent["active"]) == ("in_progress", True)
    note, answer = desk.journal(DEMO.unknown_ticket)
    assert note["internal"] and found["number"] in note["text"]
    assert "looking into it" in answer["text"]


@pytest.mark.parametrize(
    ("status", "agent", "tool"),
    [
        ("denied", "dispatcher", "itsm.create_change"),
        ("denied", "librarian", "itsm.add_work_note"),
        ("pending", "answerer", "itsm.add_public_comment"),
        ("done", "answerer", "itsm.add_public_comment"),
        ("done", "resolver", "itsm.resolve"),
    ],
)
def test_every_outcome_is_on_the_log_and_in_the_story(finished, status, agent, tool):
    desk, story = finished
    found = desk.records(status=status, agent=agent, tool=tool)
    assert found and {record["user"] for record in found} == {"alice"}
    word = "waiting" if status == "pending" else status
    assert re.search(rf"{re.escape(tool)} .* {word}$", story, re.MULTILINE)


def test_a_ticket_full_of_orders_moves_nothing_but_itself(desk):
    done = desk.triage("--ticket", DEMO.injected_ticket)
    assert done.returncode == 0, done.stdout
    touched = {
        record["arguments"].get("ticket_id") or record["arguments"].get("parent_id")
        for record in desk.records(kind="intent")
        if record["effect"] != "read" and record["tool"] != "itsm.assign"
    }
    assert touched == {DEMO.injected_ticket}
    assert desk.ticket(DEMO.change)["state"] == "new"
    assert desk.records(tool="itsm.decide_change_approval") == []


def test_an_answer_that_is_rejected_leaves_the_ticket_open(desk):
    (desk.here / "no.toml").write_text(
        '[[answers]]\ntool = "itsm.add_public_comment"\nverdict = "reject"\nnote = "Too curt."\n'
    )
    done = desk.triage("--answers", "no.toml")
    assert done.returncode == 0
    ticket = desk.ticket(DEMO.known_ticket)
    assert (ticket["state"], ticket["active"]) == ("in_progress", True)
    assert desk.journal(DEMO.known_ticket) == []


def test_an_answer_that_is_edited_is_what_the_requester_reads(desk):
    (desk.here / "edit.toml").write_text(
        '[[answers]]\ntool = "itsm.add_public_comment"\nverdict = "edit"\n'
        'edit = { text = "Call me, please." }\n'
    )
    assert desk.triage("--answers", "edit.toml").returncode == 0
    assert [entry["text"] for entry in desk.journal(DEMO.known_ticket) if not entry["internal"]] == [
        "Call me, please."
    ]


def test_a_run_that_was_killed_goes_on_and_answers_once(desk, at_terminal):
    person = at_terminal
    person.expect(r"\[a\]pprove")
    person.kill(signal.SIGKILL)
    person.expect(pexpect.EOF)
    done = desk.triage()
    assert done.returncode == 0 and "Going on with this run" in done.stdout
    answers = [entry for entry in desk.journal(DEMO.known_ticket) if not entry["internal"]]
    assert len(answers) == 1
    assert desk.ticket(DEMO.known_ticket)["state"] == "resolved"
    assert len(desk.records(kind="intent", tool="itsm.update_incident")) == 1
