"""A demo that was killed goes on where it was, and sends exactly one mail."""

from __future__ import annotations

import re

import pytest

SAMPLE = "Fewer unplanned stops: twenty minutes next week?"


def check_one_mail(desk, subject):
    (mail,) = desk.mails()
    assert mail["Subject"] == subject
    assert len(desk.records(kind="outcome", tool="mail.send")) == 1
    assert len(desk.activities(subject)) == 1
    assert desk.run_file()["status"] == "done"


def test_killed_at_the_pending_approval(killed, api):
    desk = killed("--api", api)
    assert desk.mails() == []
    assert desk.run_file()["status"] == "waiting"
    approval = desk.pending()
    resumed = desk.demo()
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert f"Going on with this run: it waits for approval {approval}." in resumed.stdout
    check_one_mail(desk, SAMPLE)
    assert len(desk.records(kind="approval", action="requested")) == 1
    assert len(desk.records(kind="intent", tool="research.search_company")) == 1


@pytest.mark.parametrize(
    ("where", "api"),
    [
        ("waiting", "agentchat"),  # the approval is there, the saved run does not know it yet
        ("waiting", "classic"),
        ("7", "agentchat"),  # in the middle of an agent's turn
        ("7", "classic"),
        ("17", "agentchat"),  # the mail is out, and is to be logged
        ("17", "classic"),
    ],
)
def test_killed_anywhere(killed_at, where, api):
    desk = killed_at(where, "--api", api)
    resumed = desk.demo()
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "Going on with this run" in resumed.stdout
    check_one_mail(desk, SAMPLE)
    assert len(desk.records(kind="approval", action="requested")) == 1


def test_approved_by_a_second_process_meanwhile(killed, api):
    desk = killed("--api", api)
    answered = desk.admin("approvals", "approve", desk.pending())
    assert answered.returncode == 0, answered.stderr
    assert desk.mails() == []
    resumed = desk.demo()
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    check_one_mail(desk, "An idea for Ozzelbruck Rotors")
    assert re.search(r"^approved +1 +mail\.send by alice *$", resumed.stdout, re.MULTILINE)


def test_edited_by_a_second_process_meanwhile(killed):
    desk = killed("--api", "classic")
    desk.admin("approvals", "edit", desk.pending(), "--set", "subject=From elsewhere")
    assert desk.demo().returncode == 0
    check_one_mail(desk, "From elsewhere")


def test_rejected_by_a_second_process_meanwhile(killed):
    desk = killed()
    desk.admin("approvals", "reject", desk.pending(), "--note", "not now")
    resumed = desk.demo()
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert desk.mails() == []
    assert "was rejected by a human: not now" in " ".join(resumed.stdout.split())


def test_answered_elsewhere_while_a_person_is_asked_here(person, desk):
    screen = person()
    screen.expect(r"\[a\]pprove")
    assert desk.admin("approvals", "approve", desk.pending()).returncode == 0
    screen.expect("This was answered elsewhere")
    screen.expect(r"alice approves \(.*, elsewhere\)")
    screen.expect("The log verifies")
    screen.expect("Go on from here")
    check_one_mail(desk, "An idea for Ozzelbruck Rotors")


def test_two_processes_do_not_work_at_one_run(person, desk):
    screen = person()
    screen.expect(r"\[a\]pprove")
    second = desk.demo()
    assert second.returncode == 1
    assert "is under way in another process" in second.stderr and "--new" in second.stderr


def test_a_new_run_leaves_the_unfinished_one_alone(killed):
    desk = killed()
    approval = desk.pending()
    assert desk.demo("--new").returncode == 0
    assert len(desk.mails()) == 1
    assert desk.pending() == approval
    assert desk.demo().returncode == 0
    assert len(desk.mails()) == 2
