"""`toolcrib demo` in a fresh folder, as it comes: what it prints, does, refuses and leaves behind."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

SUBJECT = "Fewer unplanned stops: twenty minutes next week?"


def test_it_ends_well_and_writes_nothing_to_stderr(finished):
    _, done = finished
    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_line_says_which_model(finished):
    _, done = finished
    first = done.stdout.splitlines()[0]
    assert first.startswith("Model") and "scripted" in first and "no [model] in toolcrib.toml" in first


def test_the_log_verifies(finished):
    desk, _ = finished
    verified = desk.admin("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize(
    ("status", "agent", "tool"),
    [
        ("done", "researcher", "research.search_company"),
        ("denied", "researcher", "crm.delete_record"),
        ("invalid", "crm_query", "crm.get_account_overview"),
        ("done", "crm_query", "crm.get_account_overview"),
        ("stopped", "crm_query", "crm.list_opportunities"),
        ("done", "writer", "mail.draft"),
        ("denied", "crm_action", "crm.set_opportunity_stage"),
        ("pending", "crm_action", "mail.send"),
        ("done", "crm_action", "mail.send"),
        ("done", "crm_action", "crm.log_activity"),
        ("done", "crm_action", "crm.set_opportunity_stage"),
    ],
)
def test_every_outcome_is_on_the_log_and_in_the_story(finished, status, agent, tool):
    desk, done = finished
    found = desk.records(status=status, agent=agent, tool=tool)
    assert found and {record["user"] for record in found} == {"alice"}
    word = "waiting" if status == "pending" else status
    assert re.search(rf"{re.escape(tool)} .* {word}$", done.stdout, re.MULTILINE)


def test_a_role_denies_by_no_row_and_a_condition_by_its_row(finished):
    desk, _ = finished
    by_role, by_condition = desk.records(status="denied")
    assert by_role["rows"] == []
    assert [row.startswith("policy.csv:") and "Closed Won" in row for row in by_condition["rows"]] == [True]
    assert by_condition["inputs"]["before.stage"] == "Closed Won"


def test_the_same_call_is_stopped_the_sixth_time(finished):
    desk, _ = finished
    asked = desk.records(tool="crm.list_opportunities")
    assert [r["status"] for r in asked if r["kind"] != "intent"] == ["done"] * 5 + ["stopped"]
    assert len({json.dumps(r["arguments"]) for r in asked if r["kind"] == "intent"}) == 1


def test_the_approval_with_its_edit_is_on_the_log(finished):
    desk, _ = finished
    (answered,) = desk.records(kind="approval", action="answered")
    assert (answered["approver"], answered["verdict"]) == ("alice", "edit")
    assert answered["edited"]["subject"] == SUBJECT
    (sent,) = desk.records(kind="intent", tool="mail.send")
    assert sent["approver"] == ["alice"]
    assert sent["edited"]["asked"]["subject"] == "An idea for Ozzelbruck Rotors"
    assert sent["arguments"]["subject"] == SUBJECT


def test_exactly_one_mail_goes_out_as_edited_and_is_logged_as_sent(finished):
    desk, _ = finished
    (mail,) = desk.mails()
    assert mail["Subject"] == SUBJECT
    assert mail["To"].endswith("@ozzelbruck-rotors.example")
    assert "Sixth mill goes into service" in mail.get_content()
    (activity,) = desk.activities(SUBJECT)
    assert activity["kind"] == "Email" and activity["body"].endswith(".eml")


def test_it_says_that_the_sample_answers_were_taken(finished):
    _, done = finished
    assert "Nobody sits at a terminal here, so the sample answers" in " ".join(done.stdout.split())
    assert "alice approves with an edit" in done.stdout


def test_the_summary_counts_what_the_log_has(finished):
    _, done = finished
    summary = done.stdout.partition("What the audit log says of this run")[2]
    counts = dict(
        re.findall(r"^(asked|allowed|denied|invalid|stopped|approved) +(\d+) ", summary, re.MULTILINE)
    )
    assert counts == {
        "asked": "16", "allowed": "12", "denied": "2", "invalid": "1", "stopped": "1", "approved": "1"
    }  # fmt: skip
    assert "mail.send by alice, with an edit of subject" in summary
    assert re.search(r"The log verifies: \d+ records", summary)


def test_piped_output_has_no_colours_and_fits(finished):
    _, done = finished
    story, _, commands = done.stdout.partition("Go on from here")
    assert "\x1b" not in done.stdout
    assert max(map(len, story.splitlines())) <= 100
    assert commands


def test_the_commands_to_go_on_with_work(finished):
    desk, done = finished
    commands = done.stdout.partition("Go on from here")[2].splitlines()
    typed = [line for line in commands if "toolcrib -c" in line]
    assert len(typed) == 3
    for line in typed:
        ran = subprocess.run(line, shell=True, cwd=desk.here, capture_output=True, text=True)
        assert ran.returncode == 0 and ran.stdout, (line, ran.stderr)


def test_the_project_is_complete(finished):
    desk, _ = finished
    left = {file.relative_to(desk.project).as_posix() for file in desk.project.rglob("*")}
    assert {
        "toolcrib.toml", "answers.toml", "policies/model.conf", "policies/policy.csv",
        "policies/tests/lead-outreach.yaml", ".toolcrib/state.db", ".toolcrib/audit/000001.jsonl",
    } <= left  # fmt: skip
    checked = desk.admin("doctor")
    assert checked.returncode == 0, checked.stdout


def test_fresh_folders_are_named_and_never_the_same(desk):
    first, second = desk.toolcrib("demo"), desk.toolcrib("run", "lead-outreach")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "toolcrib-demo (made just now)" in first.stdout
    assert "toolcrib-outreach (made just now)" in second.stdout
    assert (desk.here / "toolcrib-demo" / "toolcrib.toml").exists()
    (desk.here / "toolcrib-demo" / "mine").write_text("mine")
    third = desk.toolcrib("demo", "--json")
    assert json.loads(third.stdout)["folder"] == str(desk.here / "toolcrib-demo-2")
