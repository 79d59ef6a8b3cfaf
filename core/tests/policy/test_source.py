"""Keeping up with a folder: a good change is swapped in whole, a bad one never."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toolcrib.errors import PolicyError
from toolcrib.policy import Facts, PolicySource, _origin, _source
from toolcrib.policy._model import MODEL
from toolcrib.principal import Principal

ALLOW = "p, *, *, *, *, True, allow\n"
DENY = "p, *, *, *, *, True, deny\n"
ALICE = Principal("writer", "alice", "acme")


class Clock:
    """time.monotonic and time.time_ns, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def time_ns(self) -> int:
        return time.time_ns() + int(self.seconds * 1e9) - int(1000e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    for module in (_source, _origin):
        monkeypatch.setattr(module, "time", one)
    return one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.conf").write_text(MODEL)
    write(tmp_path, ALLOW)
    return tmp_path


_writes = iter(range(1, 10_000))


def write(folder: Path, text: str) -> None:
    """An atomic write that is a second newer than the last, however coarse the file system's clock."""
    path = folder / "policy.new"
    path.write_text(text)
    stamp = 1_700_000_000 + next(_writes)
    os.utime(path, (stamp, stamp))
    path.replace(folder / "policy.csv")


def soon(source: PolicySource) -> Any:
    """The policy after whatever a look now sets going."""
    source.current()
    source.join()
    return source.current()


class Heard(list[tuple[str, str]]):
    def __call__(self, kind: str, detail: str) -> None:
        self.append((kind, detail))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_it_loads_at_once(folder: Path) -> None:
    assert PolicySource(folder).current().rows[0].values[-1] == "allow"


def test_without_a_policy_there_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"model\.conf"):
        PolicySource(tmp_path)


def test_it_does_not_look_again_within_half_a_second(folder: Path, clock: Clock) -> None:
    source = PolicySource(folder)
    first = source.current()
    write(folder, DENY)
    clock.seconds += 0.49
    assert source.current() is first
    clock.seconds += 0.02
    assert soon(source) is not first


def test_a_change_is_told(folder: Path, clock: Clock, heard: Heard) -> None:
    source = PolicySource(folder, heard)
    write(folder, DENY)
    clock.seconds += 1
    assert source.current().rows[0].values[-1] == "deny"
    assert heard == [("loaded", source.current().revision)]


def test_a_change_of_the_model_is_seen_too(folder: Path, clock: Clock) -> None:
    source = PolicySource(folder)
    before = source.current().revision
    (folder / "model.conf").write_text("# ours\n" + MODEL)
    os.utime(folder / "model.conf", (1_600_000_000, 1_600_000_000))
    clock.seconds += 1
    assert source.current().revision != before


@pytest.mark.parametrize(
    "text",
    ["nonsense\n", "p, *, *, *, *, true, allow\n", "p, *, *, *, *, Tru"],
    ids=["nonsense", "trap", "half a row"],
)
def test_a_bad_change_keeps_the_last_good_policy_and_is_told_once(
    folder: Path, clock: Clock, heard: Heard, text: str
) -> None:
    source = PolicySource(folder, heard)
    good = source.current()
    write(folder, text)
    for _ in range(4):
        clock.seconds += 1
        assert source.current() is good
    assert heard.kinds == ["failed"]
    assert "policy.csv:1" in heard[0][1]
    assert f"stays at revision {good.revision}" in heard[0][1]


def test_a_bad_change_that_is_mended_is_taken(folder: Path, clock: Clock, heard: Heard) -> None:
    source = PolicySource(folder, heard)
    for text in ("nonsense\n", DENY):
        write(folder, text)
        clock.seconds += 1
        source.current()
    assert source.current().rows[0].values[-1] == "deny"
    assert heard.kinds == ["failed", "loaded"]


def test_a_deleted_folder_keeps_the_last_good_policy(folder: Path, clock: Clock, heard: Heard) -> None:
    source = PolicySource(folder, heard)
    good = source.current()
    shutil.rmtree(folder)
    clock.seconds += 1
    assert source.current() is good
    assert heard.kinds == ["failed"]


def test_a_symlink_loop_keeps_the_last_good_policy(folder: Path, clock: Clock, heard: Heard) -> None:
    source = PolicySource(folder, heard)
    good = source.current()
    (folder / "policy.csv").unlink()
    (folder / "policy.csv").symlink_to(folder / "policy.csv")
    clock.seconds += 1
    assert source.current() is good
    assert heard.kinds == ["failed"]


def test_a_touch_loads_but_is_no_change(folder: Path, clock: Clock, heard: Heard) -> None:
    source = PolicySource(folder, heard)
    write(folder, ALLOW)
    clock.seconds += 1
    source.current()
    assert heard == []


def test_a_file_written_just_now_is_looked_at_again_before_it_is_loaded(folder: Path, clock: Clock) -> None:
    """Its writer may not be done: half a policy can be a valid one that has lost its deny rows."""
    source = PolicySource(folder)
    first = source.current()
    path = folder / "policy.csv"
    path.write_text(ALLOW + "# the deny row comes next\n")
    os.utime(path, ns=(0, clock.time_ns() + int(0.5e9)))
    clock.seconds += 0.5
    assert soon(source) is first, "seen, but too young"
    path.write_text(ALLOW + "# the deny row comes next\n" + DENY)
    os.utime(path, ns=(0, clock.time_ns() + int(0.25e9)))
    clock.seconds += 0.25
    assert soon(source) is first, "changed again"
    clock.seconds += 0.25
    assert soon(source).rows[-1].values[-1] == "deny"


def test_a_file_from_the_future_is_loaded_when_it_has_not_changed_twice(folder: Path, clock: Clock) -> None:
    source = PolicySource(folder)
    path = folder / "policy.csv"
    path.write_text(DENY)
    os.utime(path, (4_000_000_000, 4_000_000_000))
    clock.seconds += 0.5
    assert soon(source).rows[0].values[-1] == "allow"
    clock.seconds += 0.25
    assert soon(source).rows[0].values[-1] == "deny"


def test_refresh_loads_at_once_and_raises_what_is_wrong(folder: Path, heard: Heard) -> None:
    source = PolicySource(folder, heard)
    write(folder, DENY)
    assert source.refresh().rows[0].values[-1] == "deny"
    assert source.current().rows[0].values[-1] == "deny"
    write(folder, "nonsense\n")
    with pytest.raises(PolicyError, match="nonsense"):
        source.refresh()
    assert source.current().rows[0].values[-1] == "deny"
    assert heard.kinds == ["loaded", "failed"]


def test_a_refreshed_file_is_not_loaded_again_by_the_next_look(folder: Path, clock: Clock) -> None:
    source = PolicySource(folder)
    write(folder, DENY)
    policy = source.refresh()
    clock.seconds += 5
    assert source.current() is policy


def test_a_file_that_changes_while_it_is_read_is_not_taken(
    folder: Path, clock: Clock, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PolicySource(folder, heard)
    good = source.current()
    whole = _origin.FolderOrigin.read
    texts = iter([DENY + ALLOW, "half a ro"])

    def read(origin: Any) -> Any:
        found = whole(origin)
        if text := next(texts, ""):
            write(folder, text)
        return found

    monkeypatch.setattr(_origin.FolderOrigin, "read", read)
    write(folder, DENY)
    for _ in range(2):
        clock.seconds += 1
        assert source.current() is good
        assert heard == []
    clock.seconds += 1
    assert source.current() is good
    assert heard.kinds == ["failed"], "what it became in the end is no policy"


def test_a_file_that_never_stops_changing_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _origin.FolderOrigin.read

    def read(origin: Any) -> Any:
        write(folder, ALLOW)
        return whole(origin)

    monkeypatch.setattr(_origin.FolderOrigin, "read", read)
    with pytest.raises(PolicyError, match="changes while it is read"):
        PolicySource(folder)


def test_eight_threads_decide_while_the_policy_changes(folder: Path, tool: Any) -> None:
    """Every decision is that of a whole policy: the verdict and the revision belong together."""
    both = {}
    source = PolicySource(folder)
    for text, verdict in ((DENY, "deny"), (ALLOW + "# two\n", "allow")):
        write(folder, text)
        both[source.refresh().revision] = verdict
    wrong: list[Any] = []
    stop = threading.Event()
    started = threading.Barrier(9)
    seen: set[str] = set()

    def decide() -> None:
        started.wait()
        number = 0
        while not stop.is_set():
            number += 1
            policy = source.current()
            who = Principal("writer", "alice", f"t{number % 500}")
            decision = policy.decide(policy.candidates(who, tool()), Facts({}))
            seen.add(decision.revision)
            if both[decision.revision] != decision.verdict:
                wrong.append(decision)

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.wait()
    for number in range(40):
        write(folder, DENY if number % 2 else ALLOW + "# two\n")
        source.refresh()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == set(both)


def conditions(count: int) -> Iterator[str]:
    yield "p, *, *, *, *, True, allow"
    for number in range(count):
        yield f"p, *, *, *, *, r.ctx.args.n == {number}, deny"


def test_threads_that_evaluate_conditions_do_not_see_each_others_arguments(load: Any, tool: Any) -> None:
    """Casbin's evaluator keeps the names it works on in itself."""
    policy = load(*conditions(5))
    candidates = policy.candidates(ALICE, tool())
    wrong: list[Any] = []
    started = threading.Barrier(8)

    def decide(number: int) -> None:
        started.wait()
        for turn in range(300):
            value = number * 1000 + turn if turn % 2 else number % 5
            decision = policy.decide(candidates, Facts({"n": value}, before=None))
            if (decision.verdict == "deny") != (value < 5) or set(decision.inputs.values()) != {value}:
                wrong.append(decision)

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
