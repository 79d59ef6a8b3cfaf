"""Labels of a session only grow."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from toolcrib.state import State


def test_a_new_session_has_none(state):
    assert state.labels("acme", "s1") == frozenset()


def test_adding_gives_the_union_and_it_stays(state, folder, clock):
    assert state.add_labels("acme", "s1", {"untrusted"}) == {"untrusted"}
    assert state.add_labels("acme", "s1", ["confidential", "untrusted"]) == {"untrusted", "confidential"}
    assert state.add_labels("acme", "s1", []) == {"untrusted", "confidential"}
    with State.open(folder, clock=clock) as other:
        assert other.labels("acme", "s1") == {"untrusted", "confidential"}


def test_sessions_and_tenants_are_apart(state):
    state.add_labels("acme", "s1", {"untrusted"})
    assert state.labels("acme", "s2") == frozenset()
    assert state.labels("globex", "s1") == frozenset()


def test_known_labels_need_no_write(state):
    state.add_labels("acme", "s1", {"untrusted"})
    with state._db.write():  # somebody is writing for a long time
        assert state.add_labels("acme", "s1", {"untrusted"}) == {"untrusted"}


def test_labels_of_other_processes_are_seen_at_once(state, other):
    process = other(
        """
        with State.open(folder) as state:
            state.add_labels("acme", "s1", {"untrusted"}); say("added")
        """
    )
    assert process.hear() == "added"
    assert state.labels("acme", "s1") == {"untrusted"}


def test_two_processes_that_add_the_same_labels_at_once_agree(state, other):
    program = """
        with State.open(folder, busy_timeout=60) as state:
            say("ready"); sys.stdin.readline()
            for n in range(20):
                state.add_labels("acme", "s1", {f"label-{n}"})
            say("added")
    """
    others = [other(program) for _ in range(2)]
    for each in others:
        assert each.hear() == "ready"
    for each in others:
        each.tell()
    assert [each.hear() for each in others] == ["added"] * 2
    assert len(state.labels("acme", "s1")) == 20


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sets(st.text("abc", min_size=1, max_size=2)), max_size=6))
def test_whatever_is_added_never_goes(state, additions):
    known = state.labels("acme", "p")
    for labels in additions:
        known |= labels
        assert state.add_labels("acme", "p", labels) == known
        assert state.labels("acme", "p") == known
