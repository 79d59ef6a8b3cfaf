"""However many values are known and however they came, they are found as one automaton of all would do."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterable
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolcrib.secrets._fold import Folded
from toolcrib.secrets._known import Known, _entry
from toolcrib.secrets._levels import FEW, MIDDLE, Entry, Levels
from toolcrib.secrets._matcher import Automaton, merged
from toolcrib.secrets._shapes import MARKS, tokens

LONG = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 8


def value(number: int) -> str:
    return f"v{number:04d}-{number * 7919 % 10007:05d}/end"


class Reference:
    """One automaton of everything, built anew for each question, as plain as can be."""

    def __init__(self, values: Iterable[str], shapes: bool = True) -> None:
        self.entries = [_entry(one, f"[secret:{one[:4]}]") for one in values]
        self.automaton = Automaton(
            chain.from_iterable(one.patterns for one in self.entries), MARKS if shapes else {}
        )

    def search(self, data: bytes) -> list[tuple[int, int, str]]:
        found, marks = self.automaton.search(Folded(data))
        for literal, label in chain.from_iterable(one.literal for one in self.entries):
            at = data.find(literal)
            while at >= 0:
                found.append((at, at + len(literal), label))
                at = data.find(literal, at + 1)
        return merged([*found, *tokens(data, marks)])


def known_of(values: Iterable[str]) -> Known:
    known = Known(shapes=True)
    for one in values:
        known.learn(one, f"[secret:{one[:4]}]")
    return known


STEPS = st.lists(st.integers(0, 60) | st.just("settle") | st.just("search"), max_size=80)
TEXTS = st.lists(
    st.integers(0, 70) | st.sampled_from([" ", "x", "ghp_" + "a1B2" * 9, LONG[40:90]]), max_size=6
)


@settings(deadline=None, max_examples=60)
@given(STEPS, TEXTS)
def test_in_any_order_it_finds_what_one_automaton_finds(
    steps: list[int | str], parts: list[int | str]
) -> None:
    known, learned = Known(shapes=True), dict[str, None]()
    data = "".join(value(one) if isinstance(one, int) else one for one in parts).encode()
    for step in steps:
        if step == "settle":
            known.settle()
        elif step == "search":
            assert known.search(data) == Reference(learned).search(data)
        else:
            one = LONG if step == 60 else value(int(step))
            known.learn(one, f"[secret:{one[:4]}]")
            learned[one] = None
    assert known.search(data) == Reference(learned).search(data)
    known.settle()
    assert known._finders.is_settled and len(known._finders.automata) == 1
    assert known.search(data) == Reference(learned).search(data)


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, MIDDLE, MIDDLE + FEW + 1, 2 * MIDDLE])
def test_each_is_found_from_the_moment_on_that_it_is_learned(count: int) -> None:
    known = Known(shapes=False)
    for number in range(count):
        known.learn(value(number), "[x]")
        newest = value(number).encode()
        assert known.search(newest) == [(0, len(newest), "[x]")], number
        assert known.suspect(newest)
    text = b" ".join(value(number).encode() for number in range(count))
    assert len(known.search(text)) == count
    known.settle()
    assert len(known.search(text)) == count


def test_what_is_learned_while_the_largest_is_built_is_found_then_and_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    known, whole = known_of(map(value, range(MIDDLE))), Levels._all_of

    def slowly(self: Levels, entries: list[object]) -> Automaton:
        begun.set()
        assert go_on.wait(30)
        return whole(self, entries)

    monkeypatch.setattr(Levels, "_all_of", slowly)
    for number in range(MIDDLE, 3 * MIDDLE):
        known.learn(value(number), "[x]")
    assert begun.wait(30)
    everything = [value(number).encode() for number in range(3 * MIDDLE)]
    assert all(known.search(one) for one in everything)
    assert not known._finders.is_settled
    building = known._levels._building
    assert building is not None
    go_on.set()
    building.join(30)
    assert all(known.search(one) for one in everything)
    known.settle()
    assert known._finders.is_settled
    assert all(known.search(one) for one in everything)


def test_a_build_that_fails_loses_nothing_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda told: None)
    known, whole = known_of(map(value, range(FEW + 5))), Levels._all_of
    monkeypatch.setattr(Levels, "_all_of", lambda self, entries: 1 / 0)
    known._levels.settle_soon()
    building = known._levels._building
    assert building is None or building.join(30) is None
    assert all(known.search(value(number).encode()) for number in range(FEW + 5))
    monkeypatch.setattr(Levels, "_all_of", whole)
    known.settle()
    assert all(known.search(value(number).encode()) for number in range(FEW + 5))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_child_of_a_fork_goes_on_where_a_build_was_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, whole = threading.Event(), Levels._all_of
    known = known_of(map(value, range(FEW + 5)))
    monkeypatch.setattr(Levels, "_all_of", lambda self, entries: go_on.wait(30) and whole(self, entries))
    known._levels.settle_soon()
    child = os.fork()
    if child == 0:
        Levels._all_of = whole  # type: ignore[method-assign]
        known.learn("one-more-value", "[x]")
        known.settle()
        texts = [value(0).encode(), value(FEW + 4).encode(), b"one-more-value"]
        os._exit(0 if known._finders.is_settled and all(map(known.search, texts)) else 1)
    go_on.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    known.settle()
    assert known._finders.is_settled


def test_without_a_thread_to_be_had_all_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    known = known_of(map(value, range(3 * MIDDLE)))
    assert all(known.search(value(number).encode()) for number in range(3 * MIDDLE))


def test_learning_and_searching_in_threads_while_large_ones_are_built() -> None:
    known, problems = Known(shapes=False), list[str]()

    def work(worker: int) -> None:
        chance = random.Random(worker)
        for turn in range(60):
            mine = f"w{worker}-{turn:03d}-{chance.randrange(10**9):09d}"
            known.learn(mine, "[x]")
            if known.search(f"a {mine} b".encode()) != [(2, 2 + len(mine), "[x]")]:
                problems.append(mine)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known.settle()
    assert not problems


def test_much_searching_settles_it() -> None:
    known = known_of(map(value, range(FEW + 3)))
    assert not known._finders.is_settled
    for _ in range(3):
        known.search(b"x" * 100_000)
    building = known._levels._building
    if building is not None:
        building.join(30)
    assert known._finders.is_settled


def test_no_caller_waits_for_a_large_build(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, built, whole = threading.current_thread(), list[tuple[bool, int]](), Levels._all_of

    def noted(self: Levels, entries: list[Entry]) -> Automaton:
        built.append((threading.current_thread() is mine, len(entries)))
        return whole(self, entries)

    monkeypatch.setattr(Levels, "_all_of", noted)
    known = Known(shapes=True)
    for number in range(3 * MIDDLE):
        known.learn(value(number), "[x]")
        known.search(b"x" * 20_000)
        building = known._levels._building
        if building is not None:
            building.join(30)
    large = [here for here, size in built if size > FEW]
    assert large and not any(large)


def test_few_values_need_no_thread() -> None:
    known = known_of(map(value, range(FEW)))
    before = threading.active_count()
    known.search(b"x" * 100_000)
    assert known._finders.is_settled and threading.active_count() == before


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(min_size=1, max_size=30), max_size=12), st.text(max_size=60))
def test_any_values_are_found_alike(values: list[str], text: str) -> None:
    data = (text + "".join(values)).encode("utf-8", "surrogatepass")
    assert known_of(values).search(data) == Reference(dict.fromkeys(values)).search(data)
