"""A person at the terminal: approve, edit, reject, skip, interrupt."""

from __future__ import annotations

import re

import pytest

ASKED = "An idea for Ozzelbruck Rotors"


def test_approve(person, ended, desk):
    screen = person(own=True)
    screen.expect("Goes to")
    screen.expect("farid.hollins@ozzelbruck-rotors.example")
    screen.expect(r"\[a\]pprove")
    screen.sendline("a")
    code, rest = ended(screen)
    assert code == 0
    assert "alice approves (" in rest and "The log verifies" in rest
    assert [mail["Subject"] for mail in desk.mails()] == [ASKED]


def test_edit(person, ended, desk):
    screen = person("--api", "classic")
    screen.expect(r"\[a\]pprove")
    screen.sendline("e")
    for prompt, typed in (
        ("to \\[", ""), ("subject \\[", "Typed by a person"), ("body ", ""), ("cc ", ""), ("draft_id ", "")
    ):  # fmt: skip
        screen.expect(prompt)
        screen.sendline(typed)
    screen.expect(r"\[a\]pprove as edited")
    screen.sendline("a")
    code, rest = ended(screen)
    assert code == 0 and "with an edit of subject" in rest
    assert [mail["Subject"] for mail in desk.mails()] == ["Typed by a person"]
    assert len(desk.activities("Typed by a person")) == 1


def test_reject(person, ended, desk, api):
    screen = person("--api", api)
    screen.expect(r"\[a\]pprove")
    screen.sendline("c")  # cancel
    screen.expect("Why")
    screen.sendline("not this week")
    code, rest = ended(screen)
    assert code == 0
    assert "alice rejects (" in rest and "not this week" in rest
    assert "The mail was not sent" in rest
    assert desk.mails() == [] and desk.activities(ASKED) == []
    assert [record["status"] for record in desk.records(tool="mail.send", kind="refusal")] == [
        "pending",
        "rejected",
    ]


@pytest.mark.parametrize("leave", ["skip", "interrupt", "end of input"])
def test_left_open_it_waits_and_says_how_to_answer(person, ended, desk, leave):
    screen = person(own=leave == "interrupt")
    screen.expect(r"\[a\]pprove.*> ")
    {"skip": lambda: screen.sendline("s"), "interrupt": screen.sendintr, "end of input": screen.sendeof}[
        leave
    ]()
    code, rest = ended(screen)
    assert code == 3, rest
    assert desk.mails() == []
    approval = desk.pending()
    assert f"toolcrib -c demo/toolcrib.toml approvals approve {approval}" in rest
    assert "toolcrib demo --dir demo" in rest


@pytest.mark.parametrize(("columns", "env"), [(80, {}), (120, {"NO_COLOR": "1"})])
def test_every_call_has_one_line_and_colours_are_a_choice(person, columns, env):
    screen = person(columns=columns, env=env)
    screen.expect("Approval ")
    assert ("\x1b[32m" in screen.before) is (not env)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.before).splitlines()
    words = ("done", "denied", "invalid", "stopped", "waiting")
    assert len([line for line in lines if line.rstrip().endswith(words)]) == 14
    assert max(map(len, lines)) <= min(columns, 100)
