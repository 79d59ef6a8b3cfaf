"""`toolcrib approvals`, against a real state database; policy is a few lines, the record goes to a list."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from toolcrib.cli.approvals import approvals
from toolcrib.errors import (
    ApprovalExpired,
    ApprovalRejected,
    AuditError,
    CallDenied,
    CallRefused,
    ConfigError,
    InvalidArguments,
)
from toolcrib.state import CallScope, LedgerEntry, State

ROLES = {"lea": "sales-lead", "max": "legal", "bob": ""}


class Policy:
    def approves(self, person, row, principal):
        assert principal.agent == "seller"
        wanted = row.values[-1].split("|")
        return ROLES.get(person) in wanted or f"user:{person}" in wanted


class Desk:
    """What the commands use of the real one."""

    def __init__(self, state):
        self._state, self.person, self.records, self.audit_error = state, "lea", [], None

    def state(self):
        return self._state

    def policy(self):
        return Policy()

    def approver(self):
        if self.person is None:
            raise ConfigError("nobody", rule="[approvals.users]")
        return self.person

    def record(self, *, kind, **fields):
        if self.audit_error:
            raise self.audit_error
        assert kind == "approval"
        self.records.append(fields)


@pytest.fixture
def desk(tmp_path):
    with State.open(tmp_path / ".toolcrib") as state:
        yield Desk(state)


@pytest.fixture
def pending(desk, approval_of):
    """A pending approval in the database that needs a sales lead or bob."""
    return ask(desk, approval_of())


def ask(desk, like, ttl=600.0):
    from toolcrib.approvals import ApprovalRequest

    fields = {name: getattr(like, name) for name in ApprovalRequest.__dataclass_fields__}
    return desk.state().request_approval(ApprovalRequest(**fields), ttl=ttl)


@pytest.fixture
def run(desk):
    """Run a command; its exit code and output. An error that the frame would tell (exit 1) is raised."""

    def command(*arguments, code=0, input=None):
        result = CliRunner().invoke(approvals, arguments, obj=desk, input=input, env={"COLUMNS": "120"})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return command


# --- looking ---------------------------------------------------------------------------------------------


def test_an_empty_list_says_so(run):
    assert run("list") == "Nothing waits for an approval.\n"
    assert run("list", "--status", "used") == "There is none.\n"
    assert json.loads(run("list", "--json")) == []


def test_the_list_shows_what_waits(run, desk, pending):
    text = run("list")
    for word in (pending.id, "crm.set_stage", "seller for alice", "sales-lead | user:bob", "in 9 min"):
        assert word in text
    assert [each["id"] for each in json.loads(run("list", "--json"))] == [pending.id]


def test_the_list_is_filtered(run, desk, pending):
    run("reject", pending.id)
    assert "Nothing waits" in run("list")
    assert pending.id in run("list", "--status", "rejected")
    assert pending.id in run("list", "--status", "all", "--tenant", "acme")
    assert pending.id not in run("list", "--status", "all", "--tenant", "globex")


def test_show_prints_before_and_after(run, pending):
    text = run("show", pending.id[:6])
    assert "Negotiation" in text
    assert "→ Closed Won" in text
    shown = json.loads(run("show", pending.id, "--json"))
    assert (shown["id"], shown["before"]["stage"]) == (pending.id, "Negotiation")


def test_an_unknown_id_is_refused(run):
    with pytest.raises(CallRefused, match="no approval begins with 'zzzz'"):
        run("show", "zzzz")


def test_usage_errors_exit_with_2(run, pending):
    run("approve", code=2)
    run("list", "--status", "maybe", code=2)
    run("edit", pending.id, code=2)
    run("edit", pending.id, "--set", "a=1", "--json-arguments", "-", code=2)
    run("edit", pending.id, "--json-arguments", "/no/such/file", code=2)


# --- answering ----------------------------------------------------------------------------------------------


def test_approve_records_first_and_then_stores(run, desk, pending):
    text = run("approve", pending.id[:7], "--note", "fine")
    assert text == f"{pending.id}: crm.set_stage approved by lea\n"
    approval = desk.state().get_approval(pending.id)
    assert approval.status == "approved"
    assert [(answer.by, answer.note) for answer in approval.answers] == [("lea", "fine")]
    (record,) = desk.records
    assert record["action"] == "answered"
    assert (record["approval"], record["approver"], record["verdict"]) == (pending.id, "lea", "approve")
    assert [record[name] for name in ("user", "agent", "call")] == ["alice", "seller", "call-1"]


def test_what_cannot_be_recorded_is_not_answered(run, desk, pending):
    desk.audit_error = AuditError("the audit log is full")
    for command in (("approve",), ("reject",), ("edit", "--set", "amount=1")):
        with pytest.raises(AuditError):
            run(command[0], pending.id, *command[1:])
    assert desk.state().get_approval(pending.id) == pending


def test_who_satisfies_no_row_is_refused_with_the_rule(run, desk, pending):
    desk.person = "max"
    for command in (("approve",), ("reject",), ("edit", "--set", "amount=1")):
        with pytest.raises(CallDenied) as caught:
            run(command[0], pending.id, *command[1:])
        assert "policy.csv:12" in caught.value.rule
    assert desk.state().get_approval(pending.id) == pending
    assert {record["action"] for record in desk.records} == {"answer refused"}


def test_who_is_nobody_in_the_config_is_refused(run, desk, pending):
    desk.person = None
    with pytest.raises(ConfigError):
        run("approve", pending.id)
    assert desk.state().get_approval(pending.id) == pending


def test_several_rows_need_several_people(run, desk, approval_of, lead, legal):
    pending = ask(desk, approval_of(requirements=(lead, legal)))
    text = run("approve", pending.id)
    assert "It still needs legal (policy.csv:31)" in text
    assert desk.state().get_approval(pending.id).status == "pending"
    desk.person = "max"
    answered = json.loads(run("approve", pending.id, "--json"))
    assert (answered["status"], answered["unmet"]) == ("approved", [])


def test_an_edit_by_settings(run, desk, pending):
    text = run("edit", pending.id, "--set", "amount=5", "--set", "stage=Proposal", "--note", "lower")
    assert "edited and approved by lea" in text
    approval = desk.state().get_approval(pending.id)
    assert approval.status == "approved"
    assert approval.shown == {"opportunity_id": "006A", "stage": "Proposal", "amount": 5}
    assert desk.records[0]["edited"] == approval.edit


def test_an_edit_by_a_file_and_by_standard_input(run, desk, approval_of, tmp_path):
    file = tmp_path / "arguments.json"
    file.write_text('{"stage": "Lost"}')
    one, two = (ask(desk, approval_of(key=key)) for key in ("k1", "k2"))
    run("edit", one.id, "--json-arguments", str(file))
    run("edit", two.id, "--json-arguments", "-", input='{"stage": "Lost"}')
    assert desk.state().get_approval(one.id).shown == {"stage": "Lost"}
    assert desk.state().get_approval(two.id).shown == {"stage": "Lost"}


@pytest.mark.parametrize("text", ["{", "[1]", "", "12"])
def test_a_file_without_an_object_is_refused(run, desk, pending, text):
    with pytest.raises(InvalidArguments):
        run("edit", pending.id, "--json-arguments", "-", input=text)
    assert desk.state().get_approval(pending.id) == pending
    assert desk.records == []


def test_an_edit_that_does_not_fit_is_refused_and_recorded(run, desk, approval_of):
    schema = {"type": "object", "properties": {"amount": {"type": "integer", "maximum": 10}}}
    pending = ask(desk, approval_of(schema=schema))
    with pytest.raises(InvalidArguments, match="maximum"):
        run("edit", pending.id, "--json-arguments", "-", input='{"amount": 11}')
    assert desk.state().get_approval(pending.id) == pending
    assert desk.records[0]["action"] == "answer refused"


def test_an_edit_voids_the_yes_of_another(run, desk, approval_of, lead, legal):
    """Max agreed to other arguments, so he is asked again."""
    pending = ask(desk, approval_of(requirements=(lead, legal)))
    desk.person = "max"
    run("approve", pending.id)
    desk.person = "lea"
    assert "It still needs legal" in run("edit", pending.id, "--set", "amount=5")
    desk.person = "max"
    run("approve", pending.id)
    approval = desk.state().get_approval(pending.id)
    assert (approval.status, approval.shown["amount"]) == ("approved", 5)


def test_reject_with_a_note(run, desk, pending):
    assert "rejected by lea" in run("reject", pending.id, "--note", "too early")
    approval = desk.state().get_approval(pending.id)
    assert (approval.status, approval.answers[0].note) == ("rejected", "too early")


def test_a_yes_that_is_not_used_can_be_taken_back(run, desk, pending):
    run("approve", pending.id)
    run("reject", pending.id, "--note", "on second thought")
    assert desk.state().get_approval(pending.id).status == "rejected"


def test_what_is_over_is_refused_before_anything_is_recorded(run, desk, approval_of):
    rejected = ask(desk, approval_of(key="k1"))
    run("reject", rejected.id)
    expired = ask(desk, approval_of(key="k2"), ttl=-1.0)
    used = ask(desk, approval_of(key="k3"))
    run("approve", used.id)
    scope = CallScope.of(used.principal, used.tool, used.key)
    entry = LedgerEntry(scope, "d1", "c", "s1", "r1")
    desk.state().commit(entry=entry, approval=desk.state().get_approval(used.id))
    desk.records.clear()
    for each, error in ((rejected, ApprovalRejected), (expired, ApprovalExpired), (used, CallRefused)):
        for command in ("approve", "reject"):
            with pytest.raises(error):
                run(command, each.id)
    assert desk.records == []


def test_an_answer_that_came_too_late_is_recorded_as_not_stored(run, desk, pending, monkeypatch):
    """Somebody else answers between the record and the commit."""
    first = desk.record

    def record(**fields):
        first(**fields)
        if fields["action"] == "answered" and not desk.state().get_approval(pending.id).answers:
            from toolcrib.approvals import Answer

            desk.state().answer(pending, Answer("reject", "bob", 1.0), complete=True)

    desk.record = record
    with pytest.raises(ApprovalRejected):
        run("approve", pending.id)
    assert [each["action"] for each in desk.records] == ["answered", "answer not stored"]
    assert desk.state().get_approval(pending.id).status == "rejected"


def test_an_agents_text_cannot_colour_the_list(run, desk, approval_of):
    ask(desk, approval_of(reason="\x1b[2J", arguments={"x": "\x1b[31m"}, description="\x1b[1m"))
    assert "\x1b" not in run("list")
    approval = desk.state().list_approvals()[0]
    assert "\x1b" not in run("show", approval.id)
