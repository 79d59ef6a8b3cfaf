"""What happens between a changed file and a policy in force: the gate, the record, the thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from toolcrib.errors import AuditError, PolicyError
from toolcrib.policy import MODEL, Facts, History, Policy, PolicySource, Texts, _source
from toolcrib.principal import Principal

ALLOW, DENY = "p, *, *, *, *, True, allow\n", "p, *, *, *, *, True, deny\n"
OTHER = "p, *, acme, *, *, True, allow\n"

_writes = iter(range(1, 10_000))


def write(folder: Path, text: str) -> None:
    fresh = folder / "policy.new"
    fresh.write_text(text)
    stamp = 1_700_000_000 + next(_writes)
    os.utime(fresh, (stamp, stamp))
    fresh.replace(folder / "policy.csv")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "model.conf").write_text(MODEL)
    os.utime(folder / "model.conf", (1_600_000_000, 1_600_000_000))  # long enough ago to be whole
    write(folder, ALLOW)
    return folder


class Heard(list[tuple[str, str]]):
    def __call__(self, kind: str, detail: str) -> None:
        self.append((kind, detail))


def no_deny(texts: Texts, policy: Policy) -> Sequence[str]:
    """A gate: a policy with deny rows is not taken."""
    return [f"{row.place}: a deny" for row in policy.rows if row.values[-1] == "deny"]


def due(source: PolicySource, *, cold: bool = False) -> Policy:
    """What is in force after a look, made now: by a thread as while calls come in, or by the caller."""
    source._next = 0.0 if cold else time.monotonic()
    source.current()
    source.join()
    source._next = time.monotonic() + 60
    return source.current()


@pytest.mark.parametrize("cold", [True, False], ids=["idle before", "busy"])
def test_what_the_gate_refuses_is_not_taken(folder: Path, cold: bool) -> None:
    heard = Heard()
    source = PolicySource(folder, heard, gate=no_deny)
    good = source.current()
    write(folder, DENY)
    assert due(source, cold=cold) is good
    assert due(source, cold=cold) is good
    assert [kind for kind, _ in heard] == ["failed"], "told once"
    assert "policy.csv:1: a deny" in source.alert
    assert f"stays at revision {good.revision}" in source.alert
    write(folder, OTHER)
    assert due(source, cold=cold).rows[0].values[1] == "acme"
    assert source.alert == ""
    assert [kind for kind, _ in heard] == ["failed", "loaded"]


def test_the_old_text_again_ends_the_alert_without_a_change(folder: Path) -> None:
    heard = Heard()
    source = PolicySource(folder, heard, gate=no_deny)
    write(folder, DENY)
    due(source)
    write(folder, ALLOW)
    due(source)
    assert (source.alert, len(heard)) == ("", 1)


def test_a_gate_that_breaks_lets_nothing_through(folder: Path) -> None:
    def broken(texts: Texts, policy: Policy) -> Sequence[str]:
        raise ZeroDivisionError("oops")

    source = PolicySource(folder, gate=broken)
    good = source.current()
    write(folder, OTHER)
    assert due(source) is good
    assert "ZeroDivisionError: oops" in source.alert


def test_refresh_goes_through_the_gate_too(folder: Path) -> None:
    source = PolicySource(folder, gate=no_deny)
    write(folder, DENY)
    with pytest.raises(PolicyError, match=r"is not taken: policy\.csv:1: a deny"):
        source.refresh()
    assert source.current().rows[0].values[-1] == "allow"


def test_the_gate_sees_the_very_text_that_is_taken(folder: Path) -> None:
    """A file that changes while the gate looks at it is neither judged nor taken in its new form unseen."""
    seen = []

    def gate(texts: Texts, policy: Policy) -> Sequence[str]:
        seen.append(texts.rows)
        if len(seen) == 1:
            write(folder, DENY)
        return no_deny(texts, policy)

    source = PolicySource(folder, gate=gate)
    good = source.current()
    write(folder, OTHER)
    assert due(source) is good, "the file is another by now"
    assert due(source) is good
    assert seen == [OTHER, DENY]


def test_what_cannot_be_recorded_is_not_put_in_force_and_the_next_caller_hears_of_it(folder: Path) -> None:
    def full(kind: str, detail: str) -> None:
        raise AuditError("the disk is full")

    source = PolicySource(folder, full)
    good = source.current()
    write(folder, DENY)
    assert due(source) is good
    source._next = 0.0
    with pytest.raises(AuditError, match="the disk is full"):
        source.current()
    source._on_event = Heard()
    assert due(source, cold=True).rows[0].values[-1] == "deny", "it is tried again"


def test_nobody_waits_while_a_thread_loads(folder: Path) -> None:
    """The gate holds the load up until the test lets it go; meanwhile the old policy answers at once."""
    entered, release = threading.Event(), threading.Event()

    def slow(texts: Texts, policy: Policy) -> Sequence[str]:
        entered.set()
        assert release.wait(30)
        return ()

    source = PolicySource(folder, gate=slow)
    good = source.current()
    write(folder, DENY)
    source._next = time.monotonic()
    source.current()
    assert entered.wait(30)
    for _ in range(100):
        assert source.current() is good
    release.set()
    source.join()
    assert source.current().rows[0].values[-1] == "deny"


def test_who_comes_after_a_pause_waits_for_what_has_changed(folder: Path) -> None:
    """The policy in force may be hours old by then, and a deny row older than the call must hold for it."""
    source = PolicySource(folder)
    write(folder, DENY)
    source._next = time.monotonic() - _source.COLD
    assert source.current().rows[0].values[-1] == "deny"


def test_a_fork_in_the_middle_of_a_load_does_not_keep_the_child_from_looking(folder: Path) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(texts: Texts, policy: Policy) -> Sequence[str]:
        entered.set()
        release.wait(30)
        return ()

    source = PolicySource(folder, gate=slow)
    write(folder, DENY)
    source._next = time.monotonic()
    source.current()
    assert entered.wait(30)
    release.set()  # in the child the gate is open; the thread is not there
    pid = os.fork()
    if pid == 0:
        os._exit(0 if source.current().rows[0].values[-1] == "deny" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    source.join()


# --- over a restart ---------------------------------------------------------------------------------


def test_a_restart_is_no_way_around_the_gate(folder: Path, tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    PolicySource(folder, gate=no_deny, keeper=history)
    write(folder, DENY)
    heard = Heard()
    again = PolicySource(folder, heard, gate=no_deny, keeper=history)
    assert again.current().rows[0].values[-1] == "allow", "the last good policy goes on"
    assert [kind for kind, _ in heard] == ["failed"]
    assert "a deny" in again.alert


def test_what_changed_in_between_is_taken_and_told(folder: Path, tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    PolicySource(folder, keeper=history)
    write(folder, OTHER)
    heard = Heard()
    again = PolicySource(folder, heard, gate=no_deny, keeper=history)
    assert heard == [("loaded", again.current().revision)]
    assert [entry.revision for entry in history.entries()][-1] == again.current().revision


def test_the_first_policy_of_a_crib_is_taken_as_it_loads(folder: Path, tmp_path: Path) -> None:
    write(folder, DENY)
    source = PolicySource(folder, gate=no_deny, keeper=History(tmp_path / "history"))
    assert source.current().rows[0].values[-1] == "deny"


def test_a_policy_that_was_in_force_is_not_judged_again(folder: Path, tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    PolicySource(folder, keeper=history)
    asked: list[str] = []
    PolicySource(folder, gate=lambda texts, policy: asked.append("x") or [], keeper=history)
    assert asked == []


def test_without_a_readable_policy_there_is_no_start_even_with_a_history(
    folder: Path, tmp_path: Path
) -> None:
    history = History(tmp_path / "history")
    PolicySource(folder, keeper=history)
    (folder / "policy.csv").write_bytes(b"\0")
    with pytest.raises(PolicyError, match="NUL"):
        PolicySource(folder, keeper=history)


# --- eight threads ----------------------------------------------------------------------------------


def test_eight_threads_never_get_a_wrong_decision_while_threads_reload(folder: Path, tool: Any) -> None:
    """Two policies that differ in every decision, and an oracle by revision; looks are always due, so loads
    go on in their threads all the time, some of them stopped by the gate.
    """
    texts = {"allow": ALLOW, "deny": DENY}
    oracle = {Policy.of(MODEL, text).revision: verdict for verdict, text in texts.items()}
    source = PolicySource(folder, gate=lambda texts, policy: ["no"] if "refused" in texts.rows else [])
    wrong: list[Any] = []
    seen: set[str] = set()
    stop, started = threading.Event(), threading.Barrier(9)

    def decide() -> None:
        started.wait()
        while not stop.is_set():
            source._next = min(source._next, time.monotonic())
            policy = source.current()
            found = policy.decide(policy.candidates(Principal("writer", "alice", "acme"), tool()), Facts({}))
            seen.add(found.revision)
            if oracle.get(found.revision) != found.verdict:
                wrong.append(found)

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.wait()
    for number in range(10):
        want = "deny" if number % 2 == 0 else "allow"
        write(folder, "p, refused, *, *, *, True, allow\n")
        write(folder, texts[want])
        until = time.monotonic() + 30
        while oracle[source.current().revision] != want and time.monotonic() < until:
            threading.Event().wait(0.001)
        assert oracle[source.current().revision] == want
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == set(oracle)
