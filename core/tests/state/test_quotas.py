"""Quotas: never more than the limit in any window, all or nothing, and given back exactly."""

from __future__ import annotations

import threading
from contextlib import suppress

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from toolcrib.errors import KeyReused, QuotaExhausted
from toolcrib.state import QuotaTake, State


def test_there_is_room_until_the_limit_and_looking_takes_nothing(state, take):
    for _ in range(5):
        assert state.room([take(limit=2)]) is None
    state.commit(takes=[take(limit=2)])
    assert state.room([take(limit=2)]) is None
    state.commit(takes=[take(limit=2)])
    assert state.room([take(limit=2)]) == take(limit=2)


def test_no_takes_need_no_room_and_write_nothing(state):
    assert state.room([]) is None
    commitment = state.commit()
    assert (commitment.row, commitment.takes, commitment.approval) == (None, (), None)
    state.undo(commitment)


def test_one_too_many_is_refused_with_the_row_and_the_time(state, clock, take):
    state.commit(takes=[take(limit=1, window=60)])
    clock.now += 20
    with pytest.raises(QuotaExhausted) as caught:
        state.commit(takes=[take(limit=1, window=60)])
    assert caught.value.rule == "policy.csv:20 (p3, c)"
    assert caught.value.retry_after == pytest.approx(40)
    assert "40 s" in caught.value.remedy


def test_room_comes_back_when_the_oldest_take_leaves_the_window(state, clock, take):
    quota = take(limit=2, window=60)
    state.commit(takes=[quota])
    clock.now += 30
    state.commit(takes=[quota])
    clock.now += 29.9
    assert state.room([quota]) == quota
    clock.now += 0.1
    assert state.room([quota]) is None
    state.commit(takes=[quota])
    assert state.room([quota]) == quota, "the second take still counts"


def test_a_limit_of_zero_never_opens(state, take):
    quota = take(limit=0)
    assert state.room([quota]) == quota
    with pytest.raises(QuotaExhausted) as caught:
        state.commit(takes=[quota])
    assert caught.value.retry_after is None


def test_counters_do_not_touch_each_other(state, take):
    state.commit(takes=[take("a", limit=1)])
    assert state.room([take("a", limit=1)]) is not None
    assert state.room([take("b", limit=1)]) is None


def test_every_counter_must_have_room_or_none_is_taken(state, take):
    state.commit(takes=[take("full", limit=1)])
    with pytest.raises(QuotaExhausted, match="used up"):
        state.commit(takes=[take("free", limit=1), take("full", limit=1)])
    assert state.room([take("free", limit=1)]) is None
    assert state.room([take("free", limit=1), take("full", limit=1)]) == take("full", limit=1)


def test_a_counter_that_is_taken_twice_in_one_call_needs_room_for_two(state, take):
    twice = [take(limit=1), take(limit=1)]
    assert state.room(twice) == take(limit=1)
    with pytest.raises(QuotaExhausted):
        state.commit(takes=twice)
    assert state.room([take(limit=1)]) is None


def test_undo_gives_back_exactly_its_own_takes(state, clock, take):
    quota = take(limit=3, window=60)
    commitments = []
    for _ in range(3):
        commitments.append(state.commit(takes=[quota]))
        clock.now += 10
    state.undo(commitments[1])
    state.commit(takes=[quota])
    assert state.room([quota]) == quota
    clock.now += 30  # the first leaves (60 s old); the third is 40 s old, the last 30 s
    state.commit(takes=[quota])
    with pytest.raises(QuotaExhausted) as caught:
        state.commit(takes=[quota])
    assert caught.value.retry_after == pytest.approx(20)


def test_undoing_twice_gives_back_once(state, take):
    quota = take(limit=2)
    first = state.commit(takes=[quota])
    state.commit(takes=[quota])
    state.undo(first)
    state.undo(first)
    state.commit(takes=[quota])
    assert state.room([quota]) == quota


def test_undoing_after_the_window_takes_nobody_elses_room(state, clock, take):
    quota = take(limit=1, window=60)
    old = state.commit(takes=[quota])
    clock.now += 100
    state.commit(takes=[quota])
    state.undo(old)
    assert state.room([quota]) == quota


def test_a_clock_set_back_opens_no_room(state, clock, take):
    quota = take(limit=2, window=60)
    state.commit(takes=[quota])
    state.commit(takes=[quota])
    clock.now -= 1_000
    assert state.room([quota]) == quota
    with pytest.raises(QuotaExhausted) as caught:
        state.commit(takes=[quota])
    assert caught.value.retry_after == pytest.approx(1_060)
    clock.now += 1_000 + 60
    assert state.room([quota]) is None


def test_a_clock_that_leaps_ahead_and_back_opens_no_room_either(state, clock, take):
    quota = take(limit=2, window=60)
    state.commit(takes=[quota])
    state.commit(takes=[quota])
    clock.now += 10_000
    state.commit(takes=[quota])  # the old takes are out of the window and dropped
    state.commit(takes=[quota])
    clock.now -= 10_000
    assert state.room([quota]) == quota


def test_giving_the_latest_take_back_does_not_turn_time_back(state, clock, take):
    """The earlier take was dropped at the later time; with the clock set back it would count again."""
    quota = take(limit=1, window=60)
    state.commit(takes=[quota])
    clock.now += 100
    later = state.commit(takes=[quota])
    clock.now -= 90
    state.undo(later)
    state.commit(takes=[quota])
    assert state.room([quota]) == quota
    clock.now += 90 + 59
    assert state.room([quota]) == quota


def test_a_take_after_the_clock_was_set_back_counts_from_the_latest(state, clock, take):
    quota = take(limit=2, window=60)
    state.commit(takes=[quota])
    clock.now -= 500
    state.commit(takes=[quota])
    clock.now += 500
    assert state.room([quota]) == quota
    clock.now += 60
    assert state.room([quota]) is None


def test_old_takes_are_dropped(state, clock, take, folder):
    quota = take(limit=5, window=60)
    for _ in range(50):
        state.commit(takes=[quota])
        clock.now += 30
    with state._db.read() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM quota_takes").scalar()
    assert count <= 5


def test_a_refused_commit_keeps_no_quota(state, entry, take):
    state.commit(entry=entry("k1", "d1"))
    with pytest.raises(KeyReused):
        state.commit(entry=entry("k1", "d2"), takes=[take(limit=1)])
    assert state.room([take(limit=1)]) is None


def test_two_processes_with_many_threads_never_oversell(state, other, folder):
    """The limit is 40, and 2 x 4 threads ask 10 times each."""
    program = """
        taken = []
        with State.open(folder, busy_timeout=60) as state:
            def work():
                for _ in range(10):
                    try:
                        state.commit(takes=[QuotaTake("shared", 40, 3600, "row")])
                        taken.append(1)
                    except QuotaExhausted:
                        pass
            say("ready"); sys.stdin.readline()
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        say(len(taken))
    """
    others = [other(program) for _ in range(2)]
    for each in others:
        assert each.hear() == "ready"
    for each in others:
        each.tell()
    assert sum(int(each.hear()) for each in others) == 40


def test_threads_of_one_process_never_oversell(folder, take):
    with State.open(folder, busy_timeout=60) as state:
        taken, start = [], threading.Barrier(6)

        def work():
            start.wait()
            for _ in range(5):
                with suppress(QuotaExhausted):
                    taken.append(state.commit(takes=[take(limit=13, window=3600)]))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 13
        assert len({commitment.takes for commitment in taken}) == 13


class QuotaMachine(RuleBasedStateMachine):
    """The database against a list of times, under any order of taking, giving back, waiting and clocks set
    back.
    """

    LIMIT, WINDOW = 3, 10.0

    @initialize()
    def open(self):
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        self.now = 1_000.0
        self.state = State.open(Path(self.folder.name), clock=lambda: self.now)
        self.quota = QuotaTake("c", self.LIMIT, self.WINDOW, "row")
        self.taken: dict[int, float] = {}  # take id -> time, ours
        self.commitments = []
        self.latest = 0.0  # time of the latest take, given back or not

    def virtual_now(self) -> float:
        return max(self.now, self.latest)

    def counted(self) -> int:
        return sum(at > self.virtual_now() - self.WINDOW for at in self.taken.values())

    @rule()
    def take(self):
        now, room = self.virtual_now(), self.counted() < self.LIMIT
        try:
            commitment = self.state.commit(takes=[self.quota])
        except QuotaExhausted:
            assert not room
        else:
            assert room
            self.taken[commitment.takes[0]] = self.latest = now
            self.commitments.append(commitment)

    @precondition(lambda self: self.commitments)
    @rule(data=st.data())
    def give_back(self, data):
        commitment = data.draw(st.sampled_from(self.commitments))
        self.commitments.remove(commitment)
        self.state.undo(commitment)
        del self.taken[commitment.takes[0]]

    @rule(seconds=st.integers(1, 15))
    def wait(self, seconds):
        self.now += seconds

    @rule(seconds=st.integers(1, 15))
    def set_clock_back(self, seconds):
        self.now -= seconds

    @invariant()
    def room_is_what_the_list_says(self):
        assert (self.state.room([self.quota]) is None) == (self.counted() < self.LIMIT)

    @invariant()
    def no_window_ever_holds_more_than_the_limit(self):
        times = sorted(self.taken.values())
        for start in times:
            assert sum(start <= at < start + self.WINDOW for at in times) <= self.LIMIT

    def teardown(self):
        self.state.close()
        self.folder.cleanup()


QuotaMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestQuotaMachine = QuotaMachine.TestCase
