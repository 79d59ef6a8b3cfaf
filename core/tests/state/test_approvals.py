"""Approvals in the database: bound to what was shown, single use, and dead when their time is over."""

from __future__ import annotations

import re
import threading

import pytest

from toolcrib.approvals import Answer
from toolcrib.decisions import Row
from toolcrib.errors import (
    ApprovalExpired,
    ApprovalPending,
    ApprovalRejected,
    CallRefused,
    KeyReused,
    StateError,
)
from toolcrib.principal import Principal
from toolcrib.state import CallScope, State


@pytest.fixture
def pending(state, request_of):
    return state.request_approval(request_of(), ttl=600)


@pytest.fixture
def approved(state, pending, yes):
    return state.answer(pending, yes(), complete=True)


# --- asking ------------------------------------------------------------------------------------------


def test_a_request_is_kept_whole(state, clock, request_of):
    request = request_of(
        revision="abc",
        description="Move it.",
        schema={"type": "object", "properties": {"id": {"type": "string"}}},
        targets=("id",),
        reason="signed",
        labels=frozenset({"untrusted", "confidential"}),
        principal=Principal(agent="seller", tenant="acme"),
    )
    approval = state.request_approval(request, ttl=600)
    again = state.get_approval(approval.id)
    assert again == approval
    assert again.status == "pending"
    assert (again.created, again.expires) == (clock.now, clock.now + 600)
    for name in request.__dataclass_fields__:
        assert getattr(again, name) == getattr(request, name), name


def test_an_id_is_short_readable_and_not_to_be_guessed(state, request_of):
    ids = {state.request_approval(request_of(key=f"k{n}"), ttl=60).id for n in range(50)}
    assert len(ids) == 50
    for each in ids:
        assert re.fullmatch(r"([0-9a-hjkmnp-tv-z]{4}-){2}[0-9a-hjkmnp-tv-z]{4}", each)


def test_sensitive_values_never_reach_the_database(state, folder, request_of):
    request = request_of(arguments={"id": "1", "password": "hunter2hunter2"}, sensitive=("password",))
    approval = state.request_approval(request, ttl=60)
    assert approval.arguments == {"id": "1"}
    state.close()
    for file in folder.glob("state.db*"):
        assert b"hunter2" not in file.read_bytes()


def test_asking_again_for_the_same_call_gives_the_same_approval(state, folder, clock, request_of, pending):
    assert state.request_approval(request_of(), ttl=60) == pending
    with State.open(folder, clock=clock) as resumed:
        assert resumed.request_approval(request_of(), ttl=60) == pending


def test_an_approved_one_is_given_back_too(state, request_of, approved):
    assert state.request_approval(request_of(), ttl=60) == approved


def test_rows_that_only_moved_in_their_file_are_the_same_question(state, request_of, lead, pending):
    moved = Row(lead.kind, lead.values, lead.file, lead.line + 7)
    assert state.request_approval(request_of(requirements=(moved,)), ttl=60).id == pending.id


def test_the_same_key_with_other_arguments_is_refused(state, request_of, pending):
    with pytest.raises(KeyReused) as caught:
        state.request_approval(request_of(args_digest="d2"), ttl=60)
    assert pending.id in caught.value.rule
    assert state.get_approval(pending.id).status == "pending"


@pytest.mark.parametrize(
    "news",
    [
        {"preview": "p2"},
        {"fingerprint": "f2"},
        {"requirements": (Row("p2", ("x", "legal"), "policy.csv", 3),)},
    ],
)
def test_a_changed_preview_tool_or_rule_is_a_new_question(state, request_of, yes, approved, news):
    new = state.request_approval(request_of(**news), ttl=60)
    assert new.id != approved.id
    assert (new.status, new.answers) == ("pending", ())
    old = state.get_approval(approved.id)
    assert (old.status, old.superseded_by) == ("superseded", new.id)
    with pytest.raises(CallRefused, match=new.id):
        state.answer(old, yes(), complete=True)


@pytest.mark.parametrize("ending", ["rejected", "expired", "used"])
def test_after_the_end_of_one_the_next_is_a_new_one(state, clock, request_of, entry, pending, yes, ending):
    if ending == "rejected":
        state.answer(pending, Answer("reject", "lea", 1.0), complete=True)
    elif ending == "expired":
        clock.now += 601
    else:
        state.commit(entry=entry(), approval=state.answer(pending, yes(), complete=True))
    assert state.find_approval(CallScope.of(pending.principal, pending.tool, pending.key)).status == ending
    assert state.request_approval(request_of(), ttl=60).id != pending.id


def test_of_many_threads_that_ask_at_once_all_get_one(folder, request_of):
    with State.open(folder, busy_timeout=60) as state:
        ids, start = [], threading.Barrier(5)

        def ask():
            start.wait()
            ids.append(state.request_approval(request_of(), ttl=60).id)

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(ids)) == 1


# --- answering -----------------------------------------------------------------------------------------


def test_a_complete_yes_approves(state, pending, yes):
    approval = state.answer(pending, yes("lea", note="fine"), complete=True)
    assert approval.status == "approved"
    assert approval.answers == (Answer("approve", "lea", 1.0, "fine"),)
    assert state.get_approval(pending.id) == approval


def test_an_incomplete_yes_waits_for_more(state, pending, yes):
    first = state.answer(pending, yes("lea"), complete=False)
    assert first.status == "pending"
    second = state.answer(first, yes("bob", at=2.0), complete=True)
    assert second.status == "approved"
    assert [answer.by for answer in second.answers] == ["lea", "bob"]


def test_one_no_ends_it(state, pending, yes):
    first = state.answer(pending, yes("lea"), complete=False)
    ended = state.answer(first, Answer("reject", "bob", 2.0, "too early"), complete=False)
    assert ended.status == "rejected"
    with pytest.raises(ApprovalRejected) as caught:
        state.answer(ended, yes("lea"), complete=True)
    assert "bob: too early" in caught.value.rule


def test_an_unused_yes_can_be_taken_back(state, entry, approved):
    taken_back = state.answer(approved, Answer("reject", "lea", 2.0), complete=True)
    assert taken_back.status == "rejected"
    with pytest.raises(ApprovalRejected):
        state.commit(entry=entry(), approval=approved)


def test_a_used_yes_cannot_be_taken_back(state, entry, approved):
    state.commit(entry=entry(), approval=approved)
    with pytest.raises(CallRefused, match="used"):
        state.answer(approved, Answer("reject", "lea", 2.0), complete=True)


def test_an_answered_one_is_not_answered_again(state, approved, yes):
    with pytest.raises(CallRefused, match="approved"):
        state.answer(approved, yes("bob"), complete=True)
    assert len(state.get_approval(approved.id).answers) == 1


def test_an_answer_to_what_has_changed_meanwhile_is_refused(state, pending, yes):
    """Two people look at the same moment; the second judged `complete` without the first one's answer."""
    state.answer(pending, yes("lea"), complete=False)
    with pytest.raises(StateError, match="in between"):
        state.answer(pending, yes("bob"), complete=False)
    assert [answer.by for answer in state.get_approval(pending.id).answers] == ["lea"]


def test_of_many_answers_at_once_one_counts(folder, request_of, yes):
    with State.open(folder, busy_timeout=60) as state:
        pending = state.request_approval(request_of(), ttl=600)
        won, lost, start = [], [], threading.Barrier(5)

        def answer(n):
            start.wait()
            try:
                won.append(state.answer(pending, yes(f"person{n}"), complete=True))
            except (CallRefused, StateError) as error:
                lost.append(error)

        threads = [threading.Thread(target=answer, args=(n,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (1, 4)
        assert len(state.get_approval(pending.id).answers) == 1


def test_an_edit_is_kept_and_leaves_earlier_answers_without_weight(state, pending, yes):
    first = state.answer(pending, yes("lea"), complete=False)
    edit = Answer("edit", "bob", 2.0, "lower", {"id": "006A", "stage": "Proposal"})
    edited = state.answer(first, edit, complete=False)
    assert edited.status == "pending"
    assert edited.shown == edited.edit == {"id": "006A", "stage": "Proposal"}
    assert edited.arguments == {"id": "006A", "stage": "Closed Won"}, "what was asked for stays on record"
    assert edited.standing == (edit,)
    final = state.answer(edited, yes("lea", at=3.0), complete=True)
    assert [answer.by for answer in final.standing] == ["bob", "lea"]


def test_policy_may_find_the_answers_enough_later(state, pending, yes):
    first = state.answer(pending, yes("lea"), complete=False)
    assert state.accept(first).status == "approved"


def test_silence_is_never_accepted(state, pending):
    with pytest.raises(CallRefused, match="nobody has answered"):
        state.accept(pending)


def test_an_unknown_approval_cannot_be_answered(state, pending, yes):
    with pytest.raises(CallRefused, match="no approval"):
        state.get_approval("0000-0000-0000")
    with pytest.raises(CallRefused, match="no approval"):
        state.approval_by_prefix("0")


# --- expiry ------------------------------------------------------------------------------------------------


def test_an_expiry_is_never_a_yes(state, clock, pending, yes, entry):
    clock.now += 600
    assert state.get_approval(pending.id).status == "expired"
    with pytest.raises(ApprovalExpired, match="expired"):
        state.answer(pending, yes(), complete=True)
    with pytest.raises(ApprovalExpired):
        state.commit(entry=entry(), approval=pending)


def test_an_expired_one_stays_expired_when_the_clock_is_set_back(state, clock, pending, yes):
    clock.now += 601
    assert state.get_approval(pending.id).status == "expired"
    clock.now -= 601
    assert state.get_approval(pending.id).status == "expired"
    with pytest.raises(ApprovalExpired):
        state.answer(pending, yes(), complete=True)


def test_a_yes_is_good_for_as_long_again_as_the_question_was_open(state, clock, pending, yes, entry):
    clock.now += 599
    approval = state.answer(pending, yes(), complete=True)
    clock.now += 599
    assert state.get_approval(approval.id).status == "approved"
    clock.now += 2
    assert state.get_approval(approval.id).status == "expired"
    with pytest.raises(ApprovalExpired):
        state.commit(entry=entry(), approval=approval)
    assert state.recall(entry().scope) is None


def test_expired_ones_are_listed_as_such(state, clock, request_of):
    state.request_approval(request_of(key="a"), ttl=10)
    state.request_approval(request_of(key="b"), ttl=100)
    clock.now += 50
    assert [each.key for each in state.list_approvals(status="pending")] == ["b"]
    assert [each.key for each in state.list_approvals(status="expired")] == ["a"]


# --- use ---------------------------------------------------------------------------------------------------


def test_an_approval_is_good_for_one_use(state, entry, approved):
    state.commit(entry=entry("k1"), approval=approved)
    assert state.get_approval(approved.id).status == "used"
    with pytest.raises(CallRefused, match="used"):
        state.commit(entry=entry("k2", "d2"), approval=approved)
    assert state.recall(entry("k2").scope) is None


def test_a_read_uses_an_approval_too(state, approved):
    commitment = state.commit(approval=approved)
    assert commitment.row is None
    with pytest.raises(CallRefused, match="used"):
        state.commit(approval=approved)


def test_a_pending_one_is_not_used(state, entry, pending):
    with pytest.raises(ApprovalPending) as caught:
        state.commit(entry=entry(), approval=pending)
    assert caught.value.approval == pending.id
    assert state.recall(entry().scope) is None


def test_undo_makes_it_usable_again_once(state, entry, approved):
    commitment = state.commit(entry=entry(), approval=approved)
    state.undo(commitment)
    assert state.get_approval(approved.id).status == "approved"
    state.commit(entry=entry(), approval=approved)
    with pytest.raises(CallRefused):
        state.commit(entry=entry("k2", "d2"), approval=approved)


def test_a_refused_commit_does_not_use_it(state, entry, take, approved):
    state.commit(takes=[take(limit=1)])
    with pytest.raises(CallRefused):
        state.commit(entry=entry(), takes=[take(limit=1)], approval=approved)
    assert state.get_approval(approved.id).status == "approved"


def test_of_many_uses_at_once_one_wins(folder, request_of, yes, entry):
    with State.open(folder, busy_timeout=60) as state:
        approved = state.answer(state.request_approval(request_of(), ttl=600), yes(), complete=True)
        won, lost, start = [], [], threading.Barrier(5)

        def use(n):
            start.wait()
            try:
                won.append(state.commit(entry=entry(f"k{n}", f"d{n}"), approval=approved))
            except CallRefused as error:
                lost.append(error)

        threads = [threading.Thread(target=use, args=(n,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (1, 4)
        assert len(state.ledger()) == 1


# --- reopening and withdrawing ----------------------------------------------------------------------------


def test_a_changed_preview_reopens_the_question_from_nothing(state, request_of, approved):
    new = state.reopen(approved, request_of(preview="p2"), ttl=60)
    assert (new.status, new.answers, new.preview) == ("pending", (), "p2")
    assert state.get_approval(approved.id).superseded_by == new.id


def test_a_new_requirement_keeps_the_answers_there_are(state, request_of, lead, approved, yes):
    legal = Row("p2", ("*", "acme", "*", "write", "True", "legal"), "policy.csv", 30)
    new = state.reopen(approved, request_of(requirements=(lead, legal)), ttl=60, keep_answers=True)
    assert new.status == "pending"
    assert [answer.by for answer in new.answers] == ["lea"]
    assert state.answer(new, yes("max"), complete=True).status == "approved"


def test_the_old_yes_is_worth_nothing_after_reopening(state, entry, request_of, approved):
    new = state.reopen(approved, request_of(preview="p2"), ttl=60)
    with pytest.raises(CallRefused, match=new.id):
        state.commit(entry=entry(), approval=approved)


def test_what_is_over_is_not_reopened(state, entry, request_of, approved):
    state.commit(entry=entry(), approval=approved)
    with pytest.raises(CallRefused, match="used"):
        state.reopen(approved, request_of(preview="p2"), ttl=60)


def test_a_withdrawn_one_cannot_be_answered(state, pending, yes):
    state.withdraw(pending)
    with pytest.raises(CallRefused, match="nobody needs it"):
        state.answer(pending, yes(), complete=True)
    assert state.find_approval(CallScope.of(pending.principal, pending.tool, pending.key)) is None


def test_withdrawing_what_is_over_changes_nothing(state, entry, approved):
    state.commit(entry=entry(), approval=approved)
    state.withdraw(approved)
    assert state.get_approval(approved.id).status == "used"


# --- looking ------------------------------------------------------------------------------------------------


def test_the_latest_of_a_key_is_found(state, request_of, pending):
    scope = CallScope.of(pending.principal, "crm.set_stage", "k1")
    assert state.find_approval(scope) == pending
    new = state.reopen(pending, request_of(preview="p2"), ttl=60)
    assert state.find_approval(scope) == new
    assert state.find_approval(scope._replace(key="k2")) is None
    assert state.find_approval(scope._replace(tenant="globex")) is None


def test_lists_go_from_old_to_new_and_keep_the_newest(state, request_of):
    for key in "abc":
        state.request_approval(request_of(key=key), ttl=60)
    state.request_approval(request_of(key="d", principal=Principal(agent="seller", tenant="globex")), ttl=60)
    assert [each.key for each in state.list_approvals()] == ["a", "b", "c", "d"]
    assert [each.key for each in state.list_approvals(limit=2)] == ["c", "d"]
    assert [each.key for each in state.list_approvals(tenant="globex")] == ["d"]
    assert state.list_approvals(status="used") == []


def test_an_id_may_be_shortened_and_mistyped_a_little(state, pending):
    typed = pending.id.upper().replace("-", "").replace("0", "O").replace("1", "l")
    assert state.approval_by_prefix(typed).id == pending.id
    assert state.approval_by_prefix(pending.id[:7]).id == pending.id


def test_a_prefix_of_several_is_refused(state, request_of):
    ids = [state.request_approval(request_of(key=f"k{n}"), ttl=60).id for n in range(40)]
    firsts = [each[0] for each in ids]
    twice = next(letter for letter in firsts if firsts.count(letter) > 1)
    with pytest.raises(CallRefused, match="several"):
        state.approval_by_prefix(twice)
    with pytest.raises(CallRefused):
        state.approval_by_prefix("")
