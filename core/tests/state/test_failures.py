"""When the disk or another process is in the way: a clear error, and nothing half written."""

from __future__ import annotations

import os
import sqlite3
import threading

import pytest
from sqlalchemy import event

from toolcrib.errors import StateError
from toolcrib.state import State


@pytest.fixture
def pragma(state):
    """Run a pragma on every connection of the state, those that are open included."""

    def run(text: str) -> None:
        event.listen(state._db._engine, "connect", lambda raw, _: raw.execute(f"PRAGMA {text}"))
        state._db._engine.dispose()

    return run


def contents(folder):
    """Every row of every table, read past our own code."""
    connection = sqlite3.connect(folder / "state.db")
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    connection.close()
    return rows


def test_a_full_disk_is_told_and_nothing_is_half_written(state, folder, pragma, entry, take, request_of, yes):
    approval = state.answer(state.request_approval(request_of(), ttl=60), yes(), complete=True)
    state.add_labels("acme", "s1", {"untrusted"})
    before = contents(folder)
    pragma("max_page_count = 1")  # SQLite raises it to the present size: not one page more
    with pytest.raises(StateError) as caught:
        state.commit(entry=entry("k" * 100_000), takes=[take(), take("other")], approval=approval)
    assert "full" in caught.value.what
    assert "room" in caught.value.remedy
    assert contents(folder) == before


def test_a_read_only_database_is_told_and_can_still_be_read(state, folder, pragma, entry, take):
    state.add_labels("acme", "s1", {"untrusted"})
    before = contents(folder)
    pragma("query_only = ON")
    for write in (
        lambda: state.commit(entry=entry(), takes=[take()]),
        lambda: state.add_labels("acme", "s1", {"new"}),
        lambda: state.mark_orphans() or state.commit(takes=[take()]),
    ):
        with pytest.raises(StateError) as caught:
            write()
        assert "read-only" in caught.value.what
        assert "writable" in caught.value.remedy
    assert state.labels("acme", "s1") == {"untrusted"}
    assert state.room([take()]) is None
    assert contents(folder) == before


def test_an_expiry_is_seen_even_if_it_cannot_be_written_down(state, clock, pragma, request_of):
    approval = state.request_approval(request_of(), ttl=60)
    pragma("query_only = ON")
    clock.now += 61
    assert state.get_approval(approval.id).status == "expired"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_told(folder):
    folder.mkdir(mode=0o500)
    with pytest.raises(StateError, match="writable"):
        State.open(folder)


def test_a_database_that_stays_locked_is_told_with_the_wait(folder, clock, entry):
    with State.open(folder, busy_timeout=0.05, clock=clock) as state:
        holder = sqlite3.connect(folder / "state.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError) as caught:
            state.commit(entry=entry())
        assert "locked" in caught.value.what
        assert "0.05 s" in caught.value.rule
        assert caught.value.retry_after
        assert state.recall(entry().scope) is None, "readers are not kept out"
        holder.execute("ROLLBACK")
        holder.close()
        assert state.commit(entry=entry()).row


def test_a_writer_waits_for_another_process_to_finish(folder, clock, entry):
    with State.open(folder, busy_timeout=60, clock=clock) as state:
        holder = sqlite3.connect(folder / "state.db", isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        result = []
        writer = threading.Thread(target=lambda: result.append(state.commit(entry=entry())))
        writer.start()
        assert result == []
        holder.execute("ROLLBACK")
        writer.join()
        holder.close()
        assert result[0].row


def test_a_writer_in_this_process_waits_its_turn_and_says_so_when_it_is_too_long(folder, clock, entry):
    with State.open(folder, busy_timeout=0.05, clock=clock) as state:
        with state._db.write(), pytest.raises(StateError, match="locked"):
            threaded(lambda: state.commit(entry=entry()))
        assert state.commit(entry=entry()).row


def threaded(work):
    """Run `work` in another thread; its exception is raised here."""
    caught = []

    def run():
        try:
            work()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]


def test_a_value_that_is_not_json_is_refused_and_the_row_stays_as_it_was(state, entry):
    commitment = state.commit(entry=entry())
    with pytest.raises(StateError, match="JSON"):
        state.settle(commitment, "done", {"value": object()})
    assert state.recall(entry().scope).status == "intended"
    state.settle(commitment, "done", {"value": 1})


def test_a_failure_in_the_middle_of_a_commit_leaves_nothing(state, folder, entry, take, monkeypatch):
    """The ledger row is written last: whatever fails before it takes the quota back with it."""
    before = contents(folder)

    def fail(*_):
        raise OSError("the disk went away")

    monkeypatch.setattr(state._ledger, "_insert", fail)
    with pytest.raises(StateError, match="went away"):
        state.commit(entry=entry(), takes=[take()])
    assert contents(folder)["quota_takes"] == before["quota_takes"] == []


def test_the_state_goes_on_after_every_such_error(state, entry, pragma):
    pragma("query_only = ON")
    with pytest.raises(StateError):
        state.commit(entry=entry())
    pragma("query_only = OFF")
    assert state.commit(entry=entry()).row
