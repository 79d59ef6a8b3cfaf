"""The pool and the burst tier's containers as state machines, on an engine that takes each step when told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Any

import pytest

from toolcrib.errors import SandboxError
from toolcrib.sandbox import Limits
from toolcrib_sandbox._pool import Pool
from toolcrib_sandbox._spec import Spec, spec_for
from toolcrib_sandbox._warm import Warm

A = spec_for(Limits(), image="sha256:a")
B = spec_for(Limits(), image="sha256:b")
OUT = Spec("sha256:a", 1 << 28, 1 << 26, 1.0, 8, socket="/run/one")
SECONDS = 10


@dataclass(eq=False)
class Fake:
    """A container that only remembers what was done to it."""

    spec: Spec
    is_alive: bool = True
    closed: int = 0
    runs: int = 0

    def close(self) -> None:
        self.closed += 1


@dataclass
class Engine:
    """Starts and removes when it is told to, in the order in which it was asked."""

    starts: list[tuple[Spec, Future[Any]]] = field(default_factory=list)
    removals: list[tuple[Fake, Future[None]]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    removes_at_once: bool = True

    def start(self, spec: Spec) -> Any:
        return self._step(self.starts, spec)

    def remove(self, box: Any) -> None:
        if not self.removes_at_once:
            self._step(self.removals, box)

    def _step(self, queue: list[Any], what: Any) -> Any:
        answer: Future[Any] = Future()
        with self.changed:
            queue.append((what, answer))
            self.changed.notify_all()
        return answer.result(SECONDS)

    def until(self, holds: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(holds, SECONDS)

    def next(self, spec: Spec | None = None) -> tuple[Spec, Future[Any]]:
        """The next start that is asked for, which must be of this kind."""
        self.until(lambda: bool(self.starts))
        found, answer = self.starts.pop(0)
        assert spec is None or found == spec
        return found, answer

    def begin(self, spec: Spec | None = None) -> Fake:
        """Let it start."""
        found, answer = self.next(spec)
        box = Fake(found)
        answer.set_result(box)
        return box

    def refuse(self, why: str = "down") -> None:
        self.next()[1].set_exception(SandboxError(why))


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def pool_of(engine: Engine) -> Iterator[Callable[..., Pool]]:
    made: list[Pool] = []

    def make(most: int = 4, preheated: int = 0, queue: int = 10) -> Pool:
        made.append(Pool(engine.start, engine.remove, most=most, preheated=preheated, queue=queue))
        return made[-1]

    yield make
    engine.removes_at_once = True
    for pool in made:
        closing = threading.Thread(target=pool.close)
        closing.start()
        while closing.is_alive():
            with engine.changed:
                for _, answer in (*engine.starts, *engine.removals):
                    answer.cancel() or answer.done() or answer.set_exception(SandboxError("over"))
                engine.starts.clear()
                engine.removals.clear()
            closing.join(0.01)


def taken(asked: Future[Any]) -> Fake:
    found: Fake = asked.result(SECONDS)
    return found


def until(holds: Callable[[], object]) -> None:
    """What a thread of the pool is about to do has been done."""
    end = threading.Event()
    for _ in range(SECONDS * 200):
        if holds():
            return
        end.wait(0.005)
    raise AssertionError("it does not come to that")


def test_who_asks_first_is_served_first(engine: Engine, pool_of: Any) -> None:
    pool = pool_of()
    first, second = pool.ask(A), pool.ask(A)
    one = engine.begin(A)
    assert taken(first) is one and not second.done()
    assert engine.begin(A) is taken(second)


def test_an_idle_one_is_had_at_once_and_not_replaced_while_it_works(engine: Engine, pool_of: Any) -> None:
    """Starting another takes a processor that the run itself needs; `refill` or `discard` does it."""
    pool = pool_of(preheated=1)
    first = pool.ask(A)
    working = engine.begin(A)
    kept = engine.begin(A)
    assert taken(first) is working
    until(lambda: pool._idle[A])
    second = pool.ask(A)
    assert second.done() and taken(second) is kept and not pool._starting.total()
    pool.refill()
    assert pool._starting[A] == 1
    pool.refill()
    assert pool._starting[A] == 1, "one is enough"


def test_what_was_discarded_is_replaced(engine: Engine, pool_of: Any) -> None:
    pool = pool_of(preheated=1, most=2)
    asked = pool.ask(A)
    box, kept = engine.begin(A), engine.begin(A)
    pool.discard(taken(asked))
    assert box.closed == 1 and kept.closed == 0
    second = pool.ask(A)
    assert taken(second) is kept
    pool.discard(kept)
    engine.begin(A)


def test_discarding_twice_is_once(engine: Engine, pool_of: Any) -> None:
    pool = pool_of()
    asked = pool.ask(A)
    engine.begin(A)
    box = taken(asked)
    pool.discard(box)
    pool.discard(box)
    assert box.closed == 1


def test_never_more_than_most_even_while_some_are_going(engine: Engine, pool_of: Any) -> None:
    engine.removes_at_once = False
    pool = pool_of(most=1)
    first, second = pool.ask(A), pool.ask(A)
    engine.begin(A)
    box = taken(first)
    assert not engine.starts
    pool.discard(box)
    engine.until(lambda: bool(engine.removals))
    assert not engine.starts and not second.done(), "the first is not gone yet"
    engine.removals.pop()[1].set_result(None)
    assert engine.begin(A) is taken(second)


def test_another_kind_makes_room(engine: Engine, pool_of: Any) -> None:
    pool = pool_of(most=2, preheated=1)
    asked = pool.ask(A)
    engine.begin(A)
    spare = engine.begin(A)
    taken(asked)
    other = pool.ask(B)
    assert engine.begin(B) is taken(other) and spare.closed == 1


def test_a_start_that_fails_is_told_to_all_who_wait_for_it(engine: Engine, pool_of: Any) -> None:
    pool = pool_of(most=2, preheated=1)
    asked = [pool.ask(A) for _ in range(3)]
    engine.refuse("the engine is down")
    for each in asked:
        with pytest.raises(SandboxError, match="the engine is down"):
            each.result(SECONDS)


def test_after_a_failure_none_is_kept_warm_until_somebody_asks(engine: Engine, pool_of: Any) -> None:
    pool = pool_of(preheated=1, most=2)
    asked = pool.ask(A)
    engine.refuse()
    with pytest.raises(SandboxError):
        asked.result(SECONDS)
    until(lambda: not pool._starting.total())
    pool.refill()
    assert not pool._starting.total()
    again = pool.ask(A)
    assert engine.begin(A) is taken(again)


def test_who_gave_up_gets_nothing_and_the_container_is_kept(engine: Engine, pool_of: Any) -> None:
    pool = pool_of()
    asked = pool.ask(A)
    asked.cancel()
    box = engine.begin(A)
    until(lambda: pool._idle.get(A))
    again = pool.ask(A)
    assert taken(again) is box and box.closed == 0


def test_a_full_queue_refuses_and_says_which_setting(engine: Engine, pool_of: Any) -> None:
    pool = pool_of(most=1, queue=1)
    for _ in range(2):
        pool.ask(A)
    with pytest.raises(SandboxError, match=r"containers = 1, queue = 1") as caught:
        pool.ask(A)
    assert caught.value.retry_after == 1.0


def test_a_dead_one_is_not_handed_out(engine: Engine, pool_of: Any) -> None:
    pool = pool_of(preheated=1, most=3)
    asked = pool.ask(A)
    engine.begin(A)
    dead = engine.begin(A)
    taken(asked)
    until(lambda: pool._idle[A])
    dead.is_alive = False
    again = pool.ask(A)
    assert not again.done() and dead.closed == 1
    assert engine.begin(A) is taken(again)


def test_one_runs_way_out_is_never_kept_for_another(engine: Engine, pool_of: Any) -> None:
    pool = pool_of(preheated=2, most=4)
    asked = pool.ask(OUT)
    engine.begin(OUT)
    pool.discard(taken(asked))
    pool.refill()
    assert not pool._starting.total() and not engine.starts


def test_closing_ends_all_and_tells_who_waits(engine: Engine, pool_of: Any) -> None:
    pool = pool_of(most=1)
    working, waiting = pool.ask(A), pool.ask(A)
    engine.begin(A)
    box = taken(working)
    pool.close()
    pool.close()
    assert box.closed == 1
    with pytest.raises(SandboxError, match="closed"):
        waiting.result(SECONDS)
    with pytest.raises(SandboxError, match="closed"):
        pool.ask(A)
    pool.discard(box)
    assert box.closed == 1


def test_one_that_starts_while_all_is_closed_is_closed_too(engine: Engine, pool_of: Any) -> None:
    pool = pool_of()
    asked = pool.ask(A)
    _, answer = engine.next(A)
    closing = threading.Thread(target=pool.close)
    closing.start()
    with pytest.raises(SandboxError, match="closed"):
        asked.result(SECONDS)
    late = Fake(A)
    answer.set_result(late)
    closing.join(SECONDS)
    assert late.closed == 1


# --- the burst tier


@pytest.fixture
def warm(pool_of: Any) -> Warm:
    return Warm(pool_of(most=2), most=2, most_runs=3)


def test_a_tenant_gets_its_own_again(engine: Engine, warm: Warm) -> None:
    asked = warm.ask((A, "acme"))
    box: Any = engine.begin(A)
    assert taken(asked) is box
    warm.give_back((A, "acme"), box, sound=True)
    assert taken(warm.ask((A, "acme"))) is box


def test_another_tenant_never_gets_it_and_where_there_is_room_it_stays(engine: Engine, warm: Warm) -> None:
    box = idle_of("acme", engine, warm)
    other = warm.ask((A, "evil"))
    assert taken_new(engine, other) is not box
    assert box.closed == 0 and taken(warm.ask((A, "acme"))) is box


def idle_of(tenant: str, engine: Engine, warm: Warm) -> Any:
    asked = warm.ask((A, tenant))
    box: Any = engine.begin(A)
    assert taken(asked) is box
    warm.give_back((A, tenant), box, sound=True)
    return box


def test_where_there_is_no_room_the_one_least_lately_wanted_goes(engine: Engine, warm: Warm) -> None:
    old, new = idle_of("acme", engine, warm), idle_of("beta", engine, warm)
    other = warm.ask((A, "evil"))
    assert (old.closed, new.closed) == (1, 0)
    assert taken_new(engine, other) not in (old, new)


def test_what_asks_the_pool_itself_gets_room_from_those_that_idle(engine: Engine, warm: Warm) -> None:
    """A session, or a run with egress, beside a tenant whose burst containers fill the pool."""
    boxes = [idle_of("acme", engine, warm), idle_of("beta", engine, warm)]
    session = warm._pool.ask(B)
    warm.make_room()
    assert [box.closed for box in boxes] == [1, 0]
    assert engine.begin(B) is taken(session)
    warm.make_room()
    assert boxes[1].closed == 0, "nobody waits any more"


@pytest.mark.parametrize("waits", ["another tenant", "a session"])
def test_what_comes_back_goes_to_who_waits_before_it_is_kept(engine: Engine, warm: Warm, waits: str) -> None:
    """Else it would idle for its tenant while the other's time runs out."""
    asked = [warm.ask((A, "acme")) for _ in range(2)]
    boxes: list[Any] = [engine.begin(A), engine.begin(A)]
    assert {id(taken(each)) for each in asked} == {id(box) for box in boxes}
    other = warm.ask((A, "evil")) if waits == "another tenant" else warm._pool.ask(A)
    warm.give_back((A, "acme"), boxes[0], sound=True)
    assert boxes[0].closed == 1 and taken_new(engine, other) not in boxes
    warm.give_back((A, "acme"), boxes[1], sound=True)
    assert boxes[1].closed == 0, "one was enough"


def test_those_who_are_told_may_ask_again(engine: Engine, pool_of: Any) -> None:
    """A callback runs in the pool's thread: with the pool's lock held, it would wait for itself."""
    pool, again = pool_of(), []
    first = pool.ask(A)
    first.add_done_callback(lambda done: again.append(pool.ask(A)))
    engine.begin(A)
    until(lambda: again)
    assert taken_new(engine, again[0]) is not taken(first)


def taken_new(engine: Engine, asked: Future[Any]) -> Fake:
    engine.begin(A)
    return taken(asked)


@pytest.mark.parametrize(("runs", "sound"), [(3, True), (1, False)])
def test_it_is_thrown_away_after_its_last_run_or_a_bad_one(
    engine: Engine, warm: Warm, runs: int, sound: bool
) -> None:
    asked = warm.ask((A, "acme"))
    box: Any = engine.begin(A)
    taken(asked)
    box.runs = runs
    warm.give_back((A, "acme"), box, sound=sound)
    assert box.closed == 1
    assert taken_new(engine, warm.ask((A, "acme"))) is not box


def test_who_waits_is_served_by_what_comes_back(engine: Engine, warm: Warm) -> None:
    asked = [warm.ask((A, "acme")) for _ in range(3)]
    one: Any = engine.begin(A)
    engine.begin(A)
    taken(asked[0]), taken(asked[1])
    assert not asked[2].done()
    warm.give_back((A, "acme"), one, sound=True)
    assert taken(asked[2]) is one


def test_a_bad_end_starts_another_for_who_waits(engine: Engine, warm: Warm) -> None:
    asked = [warm.ask((A, "acme")) for _ in range(3)]
    one: Any = engine.begin(A)
    engine.begin(A)
    taken(asked[0]), taken(asked[1])
    warm.give_back((A, "acme"), one, sound=False)
    assert taken_new(engine, asked[2]) is not one


def test_a_failure_is_told_only_when_nobody_else_could_serve(engine: Engine, warm: Warm) -> None:
    asked = [warm.ask((A, "acme")) for _ in range(2)]
    engine.refuse()
    engine.refuse()
    for each in asked:
        with pytest.raises((SandboxError, CancelledError)):
            each.result(SECONDS)
    until(lambda: not warm._pool._starting.total())  # else who asks now is told of the second failure too
    assert taken_new(engine, warm.ask((A, "acme")))
