"""`toolcrib ledger`, against a real state database."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from toolcrib.cli.ledger import ledger
from toolcrib.errors import AuditError, CallRefused


class Desk:
    def __init__(self, state):
        self._state, self.records, self.audit_error = state, [], None

    def state(self):
        return self._state

    def approver(self):
        return "lea"

    def record(self, *, kind, **fields):
        if self.audit_error:
            raise self.audit_error
        assert kind == "admin"
        self.records.append(fields)


@pytest.fixture
def desk(state):
    return Desk(state)


@pytest.fixture
def run(desk):
    def command(*arguments, code=0):
        result = CliRunner().invoke(ledger, arguments, obj=desk, env={"COLUMNS": "120"})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return command


@pytest.fixture
def doubtful(state, entry):
    return state.settle(state.commit(entry=entry()), "ambiguous", {"reason": "timeout"})


def test_an_empty_ledger_says_so(run):
    assert run("list") == "No call is ambiguous.\n"
    assert run("list", "--status", "all") == "There is no such row.\n"


def test_the_list_shows_ambiguous_rows_first_of_all(run, state, entry, doubtful):
    state.commit(entry=entry("k2", "d2"))
    text = run("list")
    for word in (doubtful.id, "ambiguous", "crm.set_stage", "seller for alice", "call-k1"):
        assert word in text
    assert "call-k2" not in text
    assert "call-k2" in run("list", "--status", "all")
    assert "call-k1" not in run("list", "--status", "all", "--tenant", "globex")


def test_rows_are_printed_as_json(run, doubtful):
    (row,) = json.loads(run("list", "--json"))
    assert (row["id"], row["tenant"], row["key"], row["outcome"]) == (
        doubtful.id,
        "acme",
        "k1",
        {"reason": "timeout"},
    )


def test_the_list_notices_dead_processes_and_records_them(run, desk, folder, other):
    process = other(
        """
        state = State.open(folder)
        state.commit(entry=entry("theirs")); say("committed"); sys.stdin.readline()
        """
    )
    assert process.hear() == "committed"
    assert "No call is ambiguous" in run("list")
    process.kill()
    assert "call-theirs" in run("list")
    assert [(each["action"], each["call"]) for each in desk.records] == [("ledger.orphan", "call-theirs")]


@pytest.mark.parametrize("status", ["done", "failed"])
def test_settle_records_and_frees_the_way(run, desk, state, doubtful, status):
    text = run("settle", doubtful.id[:8], f"--{status}", "--note", "looked in the CRM")
    assert text == f"{doubtful.id}: crm.set_stage settled as {status} by lea\n"
    row = state.ledger_row(doubtful.id)
    assert (row.status, row.settled_by, row.note) == (status, "lea", "looked in the CRM")
    (record,) = desk.records
    assert (record["action"], record["row"], record["status"]) == ("ledger.settle", doubtful.id, status)
    assert (record["by"], record["note"]) == ("lea", "looked in the CRM")
    assert "by lea" in run("list", "--status", "all")


def test_what_cannot_be_recorded_is_not_settled(run, desk, state, doubtful):
    desk.audit_error = AuditError("the audit log is full")
    with pytest.raises(AuditError):
        run("settle", doubtful.id, "--done", "--note", "x")
    assert state.ledger_row(doubtful.id) == doubtful


def test_only_an_ambiguous_row_is_settled(run, desk, state, entry):
    row_id = state.commit(entry=entry()).row
    with pytest.raises(CallRefused, match="intended, not ambiguous"):
        run("settle", row_id, "--done", "--note", "x")
    assert desk.records == []


def test_a_decision_and_a_note_are_needed(run, doubtful):
    run("settle", doubtful.id, "--note", "x", code=2)
    run("settle", doubtful.id, "--done", code=2)
    run("settle", code=2)


def test_an_unknown_row_is_refused(run):
    with pytest.raises(CallRefused, match="no ledger row"):
        run("settle", "zzzz", "--done", "--note", "x")


def test_json_of_a_settled_row(run, doubtful):
    row = json.loads(run("settle", doubtful.id, "--failed", "--note", "x", "--json"))
    assert (row["status"], row["settled_by"]) == ("failed", "lea")
