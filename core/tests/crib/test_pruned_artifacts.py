"""What goes when there are too many artifacts, and what stays whatever happens."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib._pruning import DAY, Entry, Held, entries, held_by, surplus
from toolcrib._shelf import Shelf
from toolcrib.artifacts import ArtifactStore
from toolcrib.errors import VendorRefused

NOW = 1_000 * DAY
Keep = Callable[..., str]


def entry(name: str, *, days: float, size: int = 10) -> Entry:
    return Entry(Path(name), "acme", name, size, NOW - days * DAY)


def gone(*stored: Entry, held: Held | None = None, days: float = 30, room: int = 1000) -> list[str]:
    ordered = sorted(stored, key=lambda each: each.used)
    return [
        each.digest for each in surplus(ordered, held or Held(), max_age=days * DAY, max_bytes=room, now=NOW)
    ]


# --- which


def test_the_old_go_and_the_rest_stays() -> None:
    assert gone(entry("old", days=31), entry("new", days=29)) == ["old"]


def test_where_there_are_too_many_bytes_the_oldest_go_until_the_rest_fits() -> None:
    stored = [entry(name, days=days) for name, days in (("a", 9), ("b", 8), ("c", 7), ("d", 6))]
    assert gone(*stored, room=40) == []
    assert gone(*stored, room=39) == ["a"]
    assert gone(*stored, room=20) == ["a", "b"]
    assert gone(*stored, room=0) == ["a", "b", "c", "d"]


def test_what_was_used_within_a_day_stays_even_if_there_is_no_room() -> None:
    assert gone(entry("today", days=0.9), entry("before", days=1.1), days=0.001, room=0) == ["before"]


def test_what_a_pending_approval_names_stays_however_old() -> None:
    held = Held(frozenset({"named"}))
    assert gone(entry("named", days=400), entry("other", days=400), held=held, room=0) == ["other"]


def test_what_was_stored_before_a_pending_approval_was_asked_stays() -> None:
    held = Held(since=NOW - 5 * DAY)
    assert gone(entry("with it", days=4), entry("long before", days=6), held=held, days=2) == ["long before"]


DIGEST = "ab" * 32


def approval(created: float, arguments: object, edit: object = None) -> SimpleNamespace:
    return SimpleNamespace(created=created, arguments=arguments, edit=edit)


def test_digests_are_found_wherever_they_stand_in_the_arguments_and_in_an_edit() -> None:
    deep = {"artifacts": {"a.csv": DIGEST}, "more": [{"x": f"see {'cd' * 32}."}]}
    held = held_by([approval(NOW, deep), approval(NOW - DAY, {}, {"artifacts": {"b": "ef" * 32}})])  # type: ignore[list-item]
    assert held == Held(frozenset({DIGEST, "cd" * 32, "ef" * 32}), NOW - 2 * DAY)


def test_nothing_is_held_where_nothing_waits() -> None:
    assert held_by([]) == Held(frozenset(), math.inf)


@given(
    st.lists(st.tuples(st.floats(0, 60), st.integers(0, 50)), max_size=20),
    st.integers(0, 400),
    st.floats(1, 40),
    st.floats(0, 60),
)
def test_what_is_held_never_goes_and_what_goes_is_enough_or_all(
    given_: list[tuple[float, int]], room: int, age: float, since: float
) -> None:
    stored = sorted(
        (entry(str(n), days=days, size=size) for n, (days, size) in enumerate(given_)),
        key=lambda each: each.used,
    )
    held = Held(frozenset({"0", "3"}), NOW - since * DAY)
    going = surplus(stored, held, max_age=age * DAY, max_bytes=room, now=NOW)
    kept = [each for each in stored if each not in going]
    may_go = [
        each for each in stored if each.digest not in held.digests and each.used < min(NOW - DAY, held.since)
    ]
    assert set(going) <= set(may_go)
    assert sum(each.size for each in kept) <= room or not set(may_go) - set(going)
    assert all(each in going for each in may_go if each.used < NOW - age * DAY)


# --- in a folder


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def shelf(tmp_path: Path, told: list[str]) -> Shelf:
    return Shelf(
        tmp_path / "artifacts", max_age=30 * DAY, max_bytes=100,
        told=lambda gone: told.extend(each.digest for each in gone if each.path.is_file()),
    )  # fmt: skip


@pytest.fixture
def keep(shelf: Shelf) -> Keep:
    store = ArtifactStore(shelf.folder, shelf)

    def keep_one(data: bytes, *, days: float = 0, tenant: str = "acme") -> str:
        digest = store.of(tenant).keep("x", data).digest
        path = store.of(tenant).path(digest)
        os.utime(path, (path.stat().st_mtime - days * DAY,) * 2)
        return digest

    return keep_one


def test_room_is_made_by_what_nobody_used_for_longest(shelf: Shelf, keep: Keep, told: list[str]) -> None:
    oldest, old = keep(b"a" * 40, days=9), keep(b"b" * 40, days=8)
    keep(b"c" * 40)
    assert told == [oldest], "told of it while it was still there"
    assert {each.digest for each in entries(shelf.folder)} >= {old} and len(entries(shelf.folder)) == 2


def test_where_all_is_of_today_nothing_more_is_kept_and_nothing_is_lost(shelf: Shelf, keep: Keep) -> None:
    kept = [keep(b"a" * 60), keep(b"b" * 40)]
    with pytest.raises(VendorRefused, match=r"no room.*artifact_total = 100 bytes"):
        keep(b"c")
    assert sorted(kept) == sorted(each.digest for each in entries(shelf.folder))
    assert keep(b"a" * 60) == kept[0], "what is there already needs no room"


def test_reading_or_storing_again_is_use(shelf: Shelf, keep: Keep, tmp_path: Path) -> None:
    read, again = keep(b"read", days=40), keep(b"again", days=40)
    lost = keep(b"lost", days=40)
    ArtifactStore(shelf.folder).of("acme").read(read)
    ArtifactStore(shelf.folder).of("acme").keep("x", b"again")
    assert [each.digest for each in shelf.prune()] == [lost]
    assert {each.digest for each in entries(shelf.folder)} == {read, again}


def test_every_tenants_files_and_large_results_count(shelf: Shelf, keep: Keep) -> None:
    keep(b"a" * 50)
    keep(b"b" * 30, tenant="globex")
    ArtifactStore(shelf.folder, shelf).keep_result("0" * 64, b"c" * 20)
    assert [each.tenant for each in entries(shelf.folder)].count("") == 1
    with pytest.raises(VendorRefused):
        ArtifactStore(shelf.folder, shelf).keep_result("1" * 64, b"d")


def test_what_is_no_artifact_is_left_alone(shelf: Shelf, keep: Keep) -> None:
    keep(b"a", days=40)
    other = shelf.folder / "tenant-acme" / "notes.txt"
    other.write_text("mine")
    outside = shelf.folder.parent / ("0" * 64)
    outside.write_text("mine")
    (shelf.folder / "tenant-acme" / ("f" * 64)).symlink_to(outside)
    (shelf.folder / "tenant-link").symlink_to(shelf.folder.parent)
    for path in (other, outside):
        os.utime(path, (0, 0))
    assert len(shelf.prune()) == 1
    assert other.read_text() == outside.read_text() == "mine"


def test_what_is_used_between_the_look_and_the_removal_stays(shelf: Shelf, keep: Keep) -> None:
    digest = keep(b"a", days=40)

    def meanwhile() -> Held:
        ArtifactStore(shelf.folder).of("acme").read(digest)
        return Held()

    shelf._held = meanwhile
    assert shelf.prune() == [] and len(entries(shelf.folder)) == 1


def test_nothing_goes_that_could_not_be_told(shelf: Shelf, keep: Keep) -> None:
    keep(b"a", days=40)

    def refuse(gone: list[Entry]) -> None:
        raise OSError("the log is full")

    shelf._told = refuse
    with pytest.raises(OSError, match="the log is full"):
        shelf.prune()
    assert len(entries(shelf.folder)) == 1


def test_threads_share_the_room(shelf: Shelf) -> None:
    store, refused = ArtifactStore(shelf.folder, shelf).of("acme"), []

    def fill(number: int) -> None:
        try:
            store.keep("x", bytes([number]) * 20)
        except VendorRefused:
            refused.append(number)

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3 and sum(each.size for each in entries(shelf.folder)) == 100
