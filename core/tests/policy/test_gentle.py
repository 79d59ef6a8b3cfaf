"""Loading in company: short turns, no collector, and old policies freed bit by bit."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from toolcrib.policy import MODEL, Facts, Policy
from toolcrib.policy._gentle import TURN, gently, retire
from toolcrib.policy._loading import without_collector
from toolcrib.principal import Principal


def test_turns_are_short_only_meanwhile() -> None:
    before = sys.getswitchinterval()
    with gently():
        assert sys.getswitchinterval() == pytest.approx(TURN)
        with gently():
            pass
        assert sys.getswitchinterval() == pytest.approx(TURN)
    assert sys.getswitchinterval() == before


def test_the_collector_waits_until_the_last_is_done() -> None:
    """Each on its own would have switched it on again while the other still loads."""
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with without_collector():
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(30)
    with without_collector():
        leave.set()
        thread.join()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with without_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_interval_comes_back_after_an_error() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(ZeroDivisionError), gently():
        raise ZeroDivisionError
    assert sys.getswitchinterval() == before
    assert gc.isenabled()


def test_a_retired_policy_is_freed(tool: Any) -> None:
    policy = Policy.of(MODEL, "p, *, *, *, *, r.ctx.user == 'a', allow\ng, user:a, b, *\n" * 200)
    policy.decide(policy.candidates(Principal("a", "b", "c"), tool()), Facts({}))
    gone = weakref.ref(policy._engine)
    holder = [policy]
    del policy
    retire(holder)
    assert (holder, gone()) == ([], None)


def test_what_somebody_still_holds_goes_on_working(tool: Any) -> None:
    policy = Policy.of(MODEL, "p, *, *, *, *, r.ctx.user == 'alice', allow\n")
    candidates = policy.candidates(Principal("writer", "alice", "acme"), tool())
    holder = [policy]
    del policy
    retire(holder)
    assert candidates.decide(Facts({})).verdict == "allow"


def test_policies_do_not_pile_up_over_many_reloads(tmp_path: Path) -> None:
    """A large policy is exempt from collection for ever, so nothing of it may depend on being collected."""
    rows = "".join(f"p, user:u{number}, acme, crm.t{number}, read, True, allow\n" for number in range(6000))

    def load() -> Any:
        with gently():
            policy = Policy.of(MODEL, rows)
        gone = weakref.ref(policy._engine)
        holder = [policy]
        del policy
        retire(holder)
        return gone

    assert all(load()() is None for _ in range(3))
    frozen = gc.get_freeze_count()
    load()
    assert gc.get_freeze_count() <= frozen + 5_000, "what was exempt is gone with its policy"
    gc.unfreeze()


def test_a_custom_model_keeps_the_enforcer_that_decides_for_it(tool: Any) -> None:
    custom = MODEL.replace('(p.act == "*" || r.act == p.act)', "(r.act == p.act)")
    with pytest.warns(Warning, match="not the shipped model"), gently():
        policy = Policy.of(custom, "p, *, *, *, write, True, allow\n")
    found = policy.decide(policy.candidates(Principal("writer", "alice", "acme"), tool()), Facts({}))
    assert found.verdict == "allow"
