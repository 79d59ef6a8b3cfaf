"""Whose row is it, and does that process still live? Real processes, really killed."""

from __future__ import annotations

import fcntl
import os

import pytest

from toolcrib.errors import CallAmbiguous, StateError
from toolcrib.state import State

COMMIT_AND_WAIT = """
    state = State.open(folder)
    takes = [QuotaTake("c", 1, 3600, "row")] if sys.argv[4:] else []
    state.commit(entry=entry(sys.argv[2], sys.argv[3]), takes=takes)
    say(state.owner)
    for line in sys.stdin:
        say("alive")
"""


@pytest.fixture
def runner(other):
    """A process that has committed a call with this key and digest, and lives on."""

    def start(key="theirs", digest="d1", *more):
        process = other(COMMIT_AND_WAIT, key, digest, *more)
        process.owner = process.hear()
        assert process.owner
        return process

    return start


def test_the_row_of_a_killed_process_becomes_ambiguous(state, entry, runner):
    process = runner()
    process.kill()
    marked = state.mark_orphans()
    assert [(row.scope.key, row.status, row.owner) for row in marked] == [
        ("theirs", "ambiguous", process.owner)
    ]
    assert "ended before" in marked[0].outcome["reason"]
    assert state.recall(entry("theirs").scope) == marked[0]
    assert state.mark_orphans() == []


def test_the_row_of_a_living_process_is_left_alone(state, entry, runner):
    process = runner()
    assert state.mark_orphans() == []
    assert state.recall(entry("theirs").scope).status == "intended"
    assert state.ambiguous("acme", "crm.set_stage", "d1") is None
    process.tell()
    assert process.hear() == "alive"


def test_of_two_processes_only_the_dead_ones_row_is_marked(state, entry, runner):
    dead, living = runner("a", "d1"), runner("b", "d2")
    dead.kill()
    assert [row.scope.key for row in state.mark_orphans()] == ["a"]
    assert state.recall(entry("b").scope).status == "intended"
    living.kill()
    assert [row.scope.key for row in state.mark_orphans()] == ["b"]


def test_ones_own_rows_are_never_orphans(state, entry):
    state.commit(entry=entry())
    assert state.mark_orphans() == []


def test_another_opening_in_the_same_process_is_respected_while_it_is_open(state, folder, entry):
    other = State.open(folder)
    other.commit(entry=entry())
    assert state.mark_orphans() == []
    other.close()
    assert [row.status for row in state.mark_orphans()] == ["ambiguous"]


def test_no_sweep_is_needed_for_a_dead_process_to_be_noticed(state, entry, runner):
    """Whoever looks at the row, by key or by equal arguments, sees that its owner is dead."""
    first, second, third = runner("a", "d1"), runner("b", "d2"), runner("c", "d3")
    for process in (first, second, third):
        process.kill()
    with pytest.raises(CallAmbiguous, match="may or may not"):
        state.commit(entry=entry("new", "d1"))
    assert state.recall(entry("b").scope).status == "ambiguous"
    assert state.ambiguous("acme", "crm.set_stage", "d3").scope.key == "c"


def test_the_same_key_after_a_crash_does_not_run_again(state, entry, runner):
    runner("k", "d1").kill()
    with pytest.raises(CallAmbiguous):
        state.commit(entry=entry("k", "d1"))


def test_a_killed_process_keeps_the_quota_it_took(state, take, runner):
    """Its tool may have run, so the take counts."""
    runner("k", "d1", "with quota").kill()
    assert state.room([take("c", limit=1, window=3600)]) is not None


def test_a_killed_process_leaves_the_database_whole(state, entry, runner):
    for n in range(3):
        runner(f"k{n}", f"d{n}").kill()
    with state._db.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert len(state.mark_orphans()) == 3


def test_a_process_killed_before_its_commit_leaves_nothing(state, entry, take, other):
    process = other(
        """
        state = State.open(folder)
        insert = state._ledger._insert
        def stop(*arguments):
            insert(*arguments)
            say("written, not committed"); sys.stdin.readline()
        state._ledger._insert = stop
        state.commit(entry=entry("half"), takes=[QuotaTake("c", 1, 3600, "row")])
        """
    )
    assert process.hear() == "written, not committed"
    process.kill()
    assert state.recall(entry("half").scope) is None
    assert state.room([take("c", limit=1, window=3600)]) is None
    assert state.commit(entry=entry("half"), takes=[take("c", limit=1, window=3600)]).row


def test_a_reused_pid_does_not_bring_an_owner_back(state, folder, entry, runner):
    """The lock decides. A file of that pid that nobody has locked belongs to nobody."""
    process = runner()
    process.kill()
    (folder / "owners" / f"{process.process.pid}-000000000000.lock").touch()
    assert len(state.mark_orphans()) == 1


def test_the_lock_files_of_the_dead_are_cleared_away(state, folder, runner):
    dead, living = runner("a", "d1"), runner("b", "d2")
    dead.kill()
    state.mark_orphans()
    left = {file.stem for file in (folder / "owners").glob("*.lock")}
    assert left == {state.owner, living.owner}


def test_a_lost_lock_file_counts_as_dead(state, folder, entry, runner):
    process = runner()
    (folder / "owners" / f"{process.owner}.lock").unlink()
    assert len(state.mark_orphans()) == 1


def test_its_owner_may_still_settle_a_row_that_was_taken_for_orphaned(state, folder, clock, entry):
    with State.open(folder, clock=clock) as slow:
        commitment = slow.commit(entry=entry())
        (folder / "owners" / f"{slow.owner}.lock").unlink()
        assert len(state.mark_orphans()) == 1
        assert slow.settle(commitment, "done", {"value": 1}).status == "done"


def test_an_orphan_cannot_be_undone(state, folder, clock, entry):
    with State.open(folder, clock=clock) as slow:
        commitment = slow.commit(entry=entry())
        (folder / "owners" / f"{slow.owner}.lock").unlink()
        state.mark_orphans()
        with pytest.raises(StateError, match="cannot be undone"):
            slow.undo(commitment)


def test_two_who_look_at_once_do_not_take_each_other_for_the_owner(state, folder, runner):
    process = runner()
    process.kill()
    looking = os.open(folder / "owners" / f"{process.owner}.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    try:
        assert len(state.mark_orphans()) == 1
    finally:
        os.close(looking)


def test_a_human_can_settle_a_crashed_call_without_a_sweep(state, entry, runner):
    runner("k", "d1").kill()
    row = state.ledger(status="intended")[0]
    assert state.settle_by_hand(row.id, "failed", by="lea", note="nothing in the CRM").status == "failed"
