"""kill -9 at every statement of every kind of write: afterwards it happened wholly or not at all."""

from __future__ import annotations

import pytest

from toolcrib.approvals import Answer

PROGRAM = """
    import os, signal
    from sqlalchemy import event

    what, stop_at = sys.argv[2], int(sys.argv[3])
    state = State.open(folder)
    commitment, approval = None, state.list_approvals()[0]
    if what in ("settle", "undo"):
        commitment = state.commit(entry=entry("mine", "d9"), takes=[QuotaTake("mine", 1, 1e9, "row")])
    writes = {
        "commit": lambda: state.commit(
            entry=entry("mine", "d9"), takes=[QuotaTake("mine", 1, 1e9, "row")], approval=approval
        ),
        "settle": lambda: state.settle(commitment, "done", {"value": 1}),
        "undo": lambda: state.undo(commitment),
        "answer": lambda: state.answer(approval, Answer("reject", "lea", 1.0), complete=True),
        "labels": lambda: state.add_labels("acme", "s1", {"a", "b", "c"}),
    }
    seen = 0

    def count(connection, cursor, statement, *_):
        global seen
        seen += 1
        if seen == stop_at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(state._db._engine, "before_cursor_execute", count)
    event.listen(state._db._engine, "commit", lambda _: stop_at or os.kill(os.getpid(), signal.SIGKILL))
    writes[what]()
    say("survived")
"""


@pytest.fixture
def approved(state, request_of, yes):
    """Good for very long by any clock: the other process has the real one."""
    return state.answer(state.request_approval(request_of(), ttl=1e12), yes(), complete=True)


def trace(state, take, entry, approved):
    """Everything the five writes can change, as one value."""
    row = state.recall(entry("mine").scope)
    return (
        row and row.status,
        state.room([take("mine", limit=1, window=1e9)]) is None,
        state.get_approval(approved.id).status,
        state.labels("acme", "s1"),
    )


NOTHING = (None, True, "approved", frozenset())
UNDER_WAY = ("ambiguous", False, "approved", frozenset())  # committed before, its process is dead now


@pytest.mark.parametrize(
    ("what", "before", "after"),
    [
        ("commit", NOTHING, ("ambiguous", False, "used", frozenset())),
        ("settle", UNDER_WAY, ("done", False, "approved", frozenset())),
        ("undo", UNDER_WAY, NOTHING),
        ("answer", NOTHING, (None, True, "rejected", frozenset())),
        ("labels", NOTHING, (None, True, "approved", frozenset("abc"))),
    ],
)
def test_a_write_is_whole_wherever_it_is_killed(state, other, take, entry, approved, what, before, after):
    """`stop_at` 0 kills just before the commit reaches the disk; 99 lets it live."""
    for stop_at in (1, 2, 3, 0):
        process = other(PROGRAM, what, str(stop_at))
        assert process.hear() == "", f"killed at {stop_at}"
        assert trace(state, take, entry, approved) == before
        _clear(state, what)
    process = other(PROGRAM, what, "99")
    assert process.hear() == "survived"
    process.end()
    assert trace(state, take, entry, approved) == after


def _clear(state, what):
    """Take away the row and the quota of a process that was killed after its commit."""
    if what in ("settle", "undo"):
        with state._db.write() as connection:
            for table in ("ledger", "quota_takes"):
                connection.exec_driver_sql(f"DELETE FROM {table}")


def test_a_process_killed_with_the_write_lock_locks_nobody_out(state, other, entry):
    process = other(
        """
        with State.open(folder)._db.write():
            say("locked"); sys.stdin.readline()
        """
    )
    assert process.hear() == "locked"
    process.kill()
    assert state.commit(entry=entry()).row


def test_many_processes_killed_at_random_leave_a_whole_database(state, other, entry):
    """Four processes write as fast as they can, and are killed in the middle of it."""
    program = """
        with State.open(folder, busy_timeout=60) as state:
            for n in range(10_000):
                commitment = state.commit(entry=entry(f"{sys.argv[2]}-{n}", f"{sys.argv[2]}-{n}"))
                if n % 2:
                    state.settle(commitment, "done", {"n": n})
                say(n)
        """
    processes = [other(program, str(n)) for n in range(3)]
    told = [[process.hear() for _ in range(5)] for process in processes]
    for process in processes:
        process.kill()
    assert told == [[str(n) for n in range(5)]] * 3
    with state._db.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    state.mark_orphans()
    for process in range(3):
        for n in range(5):  # what was told was on the disk
            row = state.recall(entry(f"{process}-{n}").scope)
            assert (row.status, row.outcome and row.outcome.get("n")) == (
                ("done", n) if n % 2 else ("ambiguous", None)
            )
    assert state.ledger(status="intended") == []


def test_an_answer_told_is_an_answer_kept(state, other, request_of):
    approval = state.request_approval(request_of(), ttl=1e12)
    process = other(
        """
        with State.open(folder) as state:
            state.answer(state.list_approvals()[0], Answer("approve", "lea", 1.0), complete=True)
            say("answered"); sys.stdin.readline()
        """
    )
    assert process.hear() == "answered"
    process.kill()
    assert state.get_approval(approval.id).answers == (Answer("approve", "lea", 1.0),)
