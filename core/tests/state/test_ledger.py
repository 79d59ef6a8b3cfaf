"""The ledger: intended first, then what became of it; one key is one call, and no doubt is run over."""

from __future__ import annotations

import threading

import pytest

from toolcrib.calls import ToolCall
from toolcrib.errors import CallAmbiguous, CallRefused, KeyReused, StateError
from toolcrib.principal import Principal
from toolcrib.state import CallScope, LedgerEntry, State


def test_a_call_is_scoped_by_tenant_user_agent_tool_and_key():
    principal = Principal(agent="seller", tenant="acme", run="r9")
    call = ToolCall("crm.set_stage", {}, principal, call_id="c1")
    assert CallScope.of_call(call) == ("acme", "none", "seller", "crm.set_stage", "r9:c1")
    assert CallScope.of(principal, "t.t", "mine") == ("acme", "none", "seller", "t.t", "mine")


def test_a_commit_writes_intended_before_anything_runs(state, clock, entry):
    commitment = state.commit(entry=entry("k1", "d1"))
    row = state.recall(entry("k1").scope)
    assert row is not None
    assert (row.id, row.status, row.owner) == (commitment.row, "intended", state.owner)
    assert (row.args_digest, row.ran_digest, row.outcome) == ("d1", "d1", None)
    assert (row.call_id, row.session, row.run) == ("call-k1", "s1", "r1")
    assert (row.created, row.updated) == (clock.now, clock.now)


def test_an_unknown_key_recalls_nothing(state, entry):
    assert state.recall(entry().scope) is None
    assert state.ambiguous("acme", "crm.set_stage", "d1") is None


@pytest.mark.parametrize("status", ["done", "failed", "ambiguous"])
def test_settling_keeps_the_outcome(state, clock, entry, status):
    commitment = state.commit(entry=entry())
    clock.now += 5
    row = state.settle(commitment, status, {"value": {"a": [1, None, "x"]}})
    assert row == state.recall(entry().scope)
    assert (row.status, row.outcome) == (status, {"value": {"a": [1, None, "x"]}})
    assert row.updated == row.created + 5


def test_settling_without_a_row_does_nothing(state, take):
    assert state.settle(state.commit(takes=[take()]), "done", None) is None


def test_what_is_done_stays_done(state, entry):
    commitment = state.commit(entry=entry())
    state.settle(commitment, "done", {"first": True})
    row = state.settle(commitment, "failed", {"second": True})
    assert (row.status, row.outcome) == ("done", {"first": True})


def test_a_tool_that_ends_after_its_deadline_may_still_say_what_happened(state, entry):
    commitment = state.commit(entry=entry())
    state.settle(commitment, "ambiguous", {"reason": "timeout"})
    assert state.settle(commitment, "done", {"late": True}).status == "done"
    assert state.ambiguous("acme", "crm.set_stage", "d1") is None


def test_a_late_outcome_does_not_overrule_a_human(state, entry):
    commitment = state.commit(entry=entry())
    state.settle(commitment, "ambiguous", None)
    state.settle_by_hand(commitment.row, "failed", by="lea", note="not in the CRM")
    row = state.settle(commitment, "done", {"late": True})
    assert (row.status, row.settled_by, row.note) == ("failed", "lea", "not in the CRM")


def test_only_its_owner_settles_or_undoes_a_row(state, folder, clock, entry):
    commitment = state.commit(entry=entry())
    with State.open(folder, clock=clock) as stranger:
        assert stranger.settle(commitment, "done", None).status == "intended"
        with pytest.raises(StateError, match="cannot be undone"):
            stranger.undo(commitment)
    assert state.settle(commitment, "done", None).status == "done"


# --- undo -------------------------------------------------------------------------------------------


def test_undo_leaves_no_trace(state, entry, take, request_of, yes):
    approval = state.answer(state.request_approval(request_of(), ttl=60), yes(), complete=True)
    commitment = state.commit(entry=entry(), takes=[take(limit=1)], approval=approval)
    state.undo(commitment)
    assert state.recall(entry().scope) is None
    assert state.room([take(limit=1)]) is None
    assert state.get_approval(approval.id) == approval
    again = state.commit(entry=entry(), takes=[take(limit=1)], approval=approval)
    assert again.row != commitment.row


def test_undo_of_a_settled_call_is_refused_wholly(state, entry, take):
    commitment = state.commit(entry=entry(), takes=[take(limit=1)])
    state.settle(commitment, "done", None)
    with pytest.raises(StateError, match="cannot be undone"):
        state.undo(commitment)
    assert state.room([take(limit=1)]) is not None, "its quota stays taken"
    assert state.recall(entry().scope).status == "done"


# --- one key, one call ----------------------------------------------------------------------------------


def test_the_same_key_with_other_arguments_is_refused(state, entry):
    state.commit(entry=entry("k1", "d1"))
    with pytest.raises(KeyReused) as caught:
        state.commit(entry=entry("k1", "d2"))
    assert "k1" in caught.value.what
    assert caught.value.rule == "one key, one call"


@pytest.mark.parametrize("status", [None, "done", "failed", "ambiguous"])
def test_the_same_key_never_runs_twice_whatever_became_of_it(state, entry, status):
    commitment = state.commit(entry=entry())
    if status:
        state.settle(commitment, status, None)
    with pytest.raises(CallAmbiguous) as caught:
        state.commit(entry=entry())
    assert caught.value.rule == f"ledger row {commitment.row}"
    assert ("ledger settle" in caught.value.remedy) is (status == "ambiguous")


def test_another_tenant_user_agent_or_tool_has_keys_of_its_own(state, entry):
    state.commit(entry=entry("k1", "d1"))
    for other in (
        entry("k1", "d2", principal=Principal(agent="seller", user="alice", tenant="globex")),
        entry("k1", "d2", principal=Principal(agent="seller", user="bob", tenant="acme")),
        entry("k1", "d2", principal=Principal(agent="writer", user="alice", tenant="acme")),
        entry("k1", "d2", tool="crm.log"),
    ):
        assert state.recall(other.scope) is None
        assert state.commit(entry=other).row


def test_of_many_threads_with_one_key_one_runs(folder, entry):
    with State.open(folder, busy_timeout=60) as state:
        won, lost, start = [], [], threading.Barrier(6)

        def work():
            start.wait()
            try:
                won.append(state.commit(entry=entry()))
            except CallAmbiguous as error:
                lost.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (1, 5)


# --- ambiguous rows stand in the way ----------------------------------------------------------------------


@pytest.fixture
def doubtful(state, entry):
    """The id of an ambiguous row of crm.set_stage with digest d1."""
    return state.settle(state.commit(entry=entry("old", "d1")), "ambiguous", None).id


def test_an_ambiguous_row_stops_every_equal_call_of_the_tenant(state, entry, doubtful):
    for principal in (
        Principal(agent="writer", tenant="acme"),
        Principal(agent="seller", user="bob", tenant="acme"),
    ):
        with pytest.raises(CallAmbiguous) as caught:
            state.commit(entry=entry("new", "d1", principal=principal))
        assert doubtful in caught.value.rule
        assert f"ledger settle {doubtful}" in caught.value.remedy
    assert state.ambiguous("acme", "crm.set_stage", "d1").id == doubtful


def test_it_stops_no_other_tenant_tool_or_arguments(state, entry, doubtful):
    assert state.ambiguous("globex", "crm.set_stage", "d1") is None
    assert state.ambiguous("acme", "crm.log", "d1") is None
    assert state.ambiguous("acme", "crm.set_stage", "d2") is None
    state.commit(entry=entry("a", "d2"))
    state.commit(entry=entry("b", "d1", tool="crm.log"))
    state.commit(entry=entry("c", "d1", principal=Principal(agent="seller", tenant="globex")))


def test_an_equal_call_that_is_merely_under_way_stops_nobody(state, entry):
    state.commit(entry=entry("one", "d1"))
    assert state.ambiguous("acme", "crm.set_stage", "d1") is None
    assert state.commit(entry=entry("two", "d1")).row


@pytest.mark.parametrize(("asked", "ran"), [("asked", "x"), ("ran", "x"), ("x", "asked"), ("x", "ran")])
def test_an_edited_call_is_equal_both_as_asked_and_as_run(state, entry, asked, ran):
    commitment = state.commit(entry=entry("old", "asked", ran_digest="ran"))
    state.settle(commitment, "ambiguous", None)
    with pytest.raises(CallAmbiguous):
        state.commit(entry=entry("new", asked, ran_digest=ran))


def test_an_edited_call_is_repeated_with_the_arguments_as_asked(state, entry):
    state.commit(entry=entry("k1", "asked", ran_digest="ran"))
    with pytest.raises(CallAmbiguous):
        state.commit(entry=entry("k1", "asked", ran_digest="ran again"))
    with pytest.raises(KeyReused):
        state.commit(entry=entry("k1", "ran"))


# --- settled by a human -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["done", "failed"])
def test_a_human_settles_and_the_way_is_free(state, entry, doubtful, status):
    row = state.settle_by_hand(doubtful, status, by="lea", note="looked in the CRM")
    assert (row.status, row.settled_by, row.note) == (status, "lea", "looked in the CRM")
    assert state.ambiguous("acme", "crm.set_stage", "d1") is None
    assert state.commit(entry=entry("new", "d1")).row


@pytest.mark.parametrize("status", [None, "done", "failed"])
def test_only_an_ambiguous_row_is_settled_by_hand(state, entry, status):
    commitment = state.commit(entry=entry())
    if status:
        state.settle(commitment, status, {"kept": True})
    before = state.recall(entry().scope)
    with pytest.raises(CallRefused, match="not ambiguous"):
        state.settle_by_hand(commitment.row, "failed", by="lea", note="")
    assert state.recall(entry().scope) == before


def test_a_row_is_settled_by_hand_once(state, doubtful):
    state.settle_by_hand(doubtful, "done", by="lea", note="it is there")
    with pytest.raises(CallRefused, match="done, not ambiguous"):
        state.settle_by_hand(doubtful, "failed", by="bob", note="it is not")


def test_an_unknown_row_cannot_be_settled(state):
    with pytest.raises(CallRefused, match="no ledger row"):
        state.settle_by_hand("nnnn-nnnn-nnnn", "done", by="lea", note="")


# --- looking ---------------------------------------------------------------------------------------------


def test_rows_are_listed_newest_first_by_status_and_tenant(state, entry):
    globex = Principal(agent="seller", tenant="globex")
    state.settle(state.commit(entry=entry("a", "1")), "done", None)
    state.commit(entry=entry("b", "2"))
    state.commit(entry=entry("c", "3", principal=globex))
    keys = [row.scope.key for row in state.ledger()]
    assert keys == ["c", "b", "a"]
    assert [row.scope.key for row in state.ledger(status="intended")] == ["c", "b"]
    assert [row.scope.key for row in state.ledger(tenant="acme")] == ["b", "a"]
    assert [row.scope.key for row in state.ledger(limit=1)] == ["c"]


def test_a_row_is_found_by_the_beginning_of_its_id(state, entry):
    row_id = state.commit(entry=entry()).row
    for typed in (row_id, row_id[:6], row_id.replace("-", "").upper()[:7], f" {row_id} "):
        assert state.ledger_row(typed).id == row_id


def test_a_beginning_that_names_none_or_several_is_refused(state, entry):
    with pytest.raises(CallRefused, match="no ledger row begins"):
        state.ledger_row("zzzz")
    for n in range(40):  # 32 letters: two begin alike
        state.commit(entry=entry(f"k{n}", f"d{n}"))
    firsts = [row.id[0] for row in state.ledger()]
    twice = next(letter for letter in firsts if firsts.count(letter) > 1)
    with pytest.raises(CallRefused, match="several ledger rows begin"):
        state.ledger_row(twice)
    for typed in ("", "%", "_"):
        with pytest.raises(CallRefused):
            state.ledger_row(typed)


def test_a_row_keeps_its_approval(state, entry):
    state.commit(entry=LedgerEntry(entry().scope, "d1", "c", "s", "r", approval="7k2m-q9xd-4p3w"))
    assert state.recall(entry().scope).approval == "7k2m-q9xd-4p3w"
