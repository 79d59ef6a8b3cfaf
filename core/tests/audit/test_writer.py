"""`AuditLog`: many callers, several loops and threads, cancellation, rolling, the clock, closing."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from toolcrib.audit import AuditLog, read, verify
from toolcrib.audit import _store as store_module
from toolcrib.errors import AuditError

BOTH = pytest.mark.parametrize("durability", ["fsync", "written"])


def calls(folder: Path) -> list[str]:
    return [record["call"] for record in read(folder) if "call" in record]


@BOTH
async def test_a_record_is_there_when_append_returns(folder: Path, durability: str):
    log = AuditLog(folder, durability=durability)
    seq = await log.append({"kind": "intent", "call": "c1", "arguments": {"a": 1}})
    found = next(record for record in read(folder) if record["kind"] == "intent")
    assert (found["seq"], found["call"], found["arguments"]) == (int(seq), "c1", {"a": 1})
    assert found["writer"].endswith(f":{os.getpid()}") and found["v"] == 1
    log.close()
    assert verify(folder).ok


@BOTH
async def test_a_refused_record_leaves_no_trace(folder: Path, durability: str):
    log = AuditLog(folder, durability=durability)
    with pytest.raises(AuditError):
        await log.append({"kind": "intent", "x": float("nan")})
    with pytest.raises(AuditError):
        log.append_blocking({"kind": "intent", "hash": "mine"})
    log.close()
    assert not folder.exists()


@BOTH
async def test_64_callers_at_once(folder: Path, durability: str):
    log = AuditLog(folder, durability=durability)

    async def caller(name: int) -> list[int]:
        return [int(await log.append({"kind": "intent", "call": f"{name}-{n}"})) for n in range(20)]

    numbers = await asyncio.gather(*map(caller, range(64)))
    log.close()
    assert sorted(number for own in numbers for number in own) == list(range(2, 2 + 64 * 20))
    assert all(own == sorted(own) for own in numbers)
    assert sorted(calls(folder)) == sorted(f"{name}-{n}" for name in range(64) for n in range(20))
    assert verify(folder).records == 1 + 64 * 20


async def test_waiting_callers_share_one_sync(folder: Path, monkeypatch: pytest.MonkeyPatch):
    syncs, begun, go_on = [], threading.Event(), threading.Event()
    true_sync = store_module.fdatasync

    def slow_sync(descriptor: int) -> None:
        syncs.append(descriptor)
        begun.set()
        go_on.wait(20)
        true_sync(descriptor)

    monkeypatch.setattr(store_module, "fdatasync", slow_sync)
    log = AuditLog(folder)
    first = asyncio.create_task(log.append({"kind": "intent", "call": "first"}))
    await asyncio.to_thread(begun.wait, 20)
    rest = [asyncio.create_task(log.append({"kind": "intent", "call": f"{n}"})) for n in range(50)]
    await asyncio.sleep(0)  # let them queue up behind the sync that is under way
    assert not first.done()
    go_on.set()
    await asyncio.gather(first, *rest)
    log.close()
    assert len(syncs) == 2
    assert verify(folder).records == 52


def test_several_loops_and_threads_on_one_log(folder: Path):
    log = AuditLog(folder)

    async def several(name: str) -> None:
        await asyncio.gather(*(log.append({"kind": "intent", "call": f"{name}{n}"}) for n in range(30)))

    def plainly(name: str) -> None:
        for n in range(30):
            log.append_blocking({"kind": "intent", "call": f"{name}{n}"})

    threads = [threading.Thread(target=asyncio.run, args=(several(name),)) for name in "abc"]
    threads += [threading.Thread(target=plainly, args=(name,)) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert sorted(calls(folder)) == sorted(f"{name}{n}" for name in "abcxyz" for n in range(30))
    assert verify(folder).ok


def test_two_logs_in_one_process_on_one_folder(folder: Path):
    one, two = AuditLog(folder), AuditLog(folder, durability="written")
    for n in range(20):
        (one, two)[n % 2].append_blocking({"kind": "intent", "call": f"{n}"})
    one.close()
    two.close()
    assert calls(folder) == [f"{n}" for n in range(20)]
    assert verify(folder).ok


# --- cancellation -----------------------------------------------------------------------------------------


async def test_a_cancelled_caller_loses_the_answer_but_not_the_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    begun, go_on = threading.Event(), threading.Event()
    true_sync = store_module.fdatasync

    def slow_sync(descriptor: int) -> None:
        begun.set()
        go_on.wait(20)
        true_sync(descriptor)

    monkeypatch.setattr(store_module, "fdatasync", slow_sync)
    log = AuditLog(folder)
    under_way = asyncio.create_task(log.append({"kind": "intent", "call": "under way"}))
    await asyncio.to_thread(begun.wait, 20)
    queued = asyncio.create_task(log.append({"kind": "intent", "call": "queued"}))
    beside = asyncio.create_task(log.append({"kind": "intent", "call": "beside"}))
    await asyncio.sleep(0)
    under_way.cancel()
    queued.cancel()
    go_on.set()
    assert int(await beside) == 4
    for task in (under_way, queued):
        with pytest.raises(asyncio.CancelledError):
            await task
    log.close()
    assert calls(folder) == ["under way", "queued", "beside"]


def test_a_loop_that_is_gone_does_not_stop_the_log(folder: Path, monkeypatch: pytest.MonkeyPatch):
    begun, go_on = threading.Event(), threading.Event()
    true_sync = store_module.fdatasync

    def slow_sync(descriptor: int) -> None:
        begun.set()
        go_on.wait(20)
        true_sync(descriptor)

    monkeypatch.setattr(store_module, "fdatasync", slow_sync)
    log = AuditLog(folder)

    async def leave() -> None:
        task = asyncio.create_task(log.append({"kind": "intent", "call": "left behind"}))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()

    asyncio.run(leave())
    go_on.set()
    log.append_blocking({"kind": "intent", "call": "next"})
    log.close()
    assert calls(folder) == ["left behind", "next"]


# --- segments ---------------------------------------------------------------------------------------------


@BOTH
def test_a_full_segment_hands_over_to_the_next(folder: Path, durability: str):
    log = AuditLog(folder, durability=durability, segment_bytes=1500)
    for n in range(40):
        log.append_blocking({"kind": "intent", "call": f"{n}"})
    log.close()
    files = sorted(path.name for path in folder.glob("*.jsonl"))
    assert len(files) > 5 and files == [f"{n:06}.jsonl" for n in range(1, len(files) + 1)]
    for file, following in pairwise(files):
        last = json.loads((folder / file).read_bytes().splitlines()[-1])
        assert last["record"] == {"event": "continued", "kind": "log", "next": following}
    found = verify(folder)
    assert found.ok and found.segments == len(files)
    assert calls(folder) == [f"{n}" for n in range(40)]


def test_a_second_log_follows_into_the_next_segment(folder: Path):
    """Its own segment has not grown since it last looked, but for the one record that ends it."""
    one = AuditLog(folder, durability="written", segment_bytes=1200)
    two = AuditLog(folder, durability="written", segment_bytes=1 << 30)
    for n in range(60):
        (two if n % 7 == 0 else one).append_blocking({"kind": "intent", "call": f"{n}"})
    one.close()
    two.close()
    assert calls(folder) == [f"{n}" for n in range(60)]
    assert verify(folder).ok


def test_segments_of_one_record_each(folder: Path):
    log = AuditLog(folder, durability="written", segment_bytes=1)
    for n in range(5):
        log.append_blocking({"kind": "intent", "call": f"{n}"})
    log.close()
    assert verify(folder).ok and calls(folder) == [f"{n}" for n in range(5)]


def test_an_old_log_is_continued(folder: Path, fill: Callable[..., Path]):
    fill(3)
    fill(3)
    found = verify(folder)
    assert found.ok and found.records == 8
    opened = [record for record in read(folder) if record.get("event") == "opened"]
    assert [record["pid"] for record in opened] == [os.getpid()] * 2


def test_files_are_for_their_owner_only(folder: Path, fill: Callable[..., Path]):
    fill(1)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "000001.jsonl").stat().st_mode & 0o777 == 0o600


# --- the clock --------------------------------------------------------------------------------------------


def test_a_clock_set_back_holds_the_time_and_says_so_once(folder: Path, monkeypatch: pytest.MonkeyPatch):
    now = 1_800_000_000 * 10**9
    clock = iter([now, now + 10**9, now - 3600 * 10**9, now - 3599 * 10**9, now + 2 * 10**9, now - 10**9])
    monkeypatch.setattr(store_module.time, "time_ns", lambda: next(clock))
    log = AuditLog(folder, durability="written")
    for n in range(6):
        log.append_blocking({"kind": "intent", "call": f"{n}"})
    monkeypatch.undo()
    log.close()
    records = list(read(folder))
    times = [record["ts"] for record in records]
    assert times == sorted(times)
    noted = [record for record in records if record.get("event") == "clock went back"]
    assert [(note["clock"], note["last"]) for note in noted] == [
        ("2027-01-15T07:00:00.000000Z", "2027-01-15T08:00:01.000000Z"),
        ("2027-01-15T07:59:59.000000Z", "2027-01-15T08:00:02.000000Z"),
    ]
    assert [record["ts"] for record in records if record.get("call") in ("2", "3")] == [noted[0]["last"]] * 2
    assert verify(folder).ok


def test_a_process_that_starts_with_a_slow_clock_holds_the_time_too(
    folder: Path, fill: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    fill(1)
    past = time.time_ns() - 10**12
    monkeypatch.setattr(store_module.time, "time_ns", lambda: past)
    fill(1)
    assert [r["event"] for r in read(folder) if r["kind"] == "log"] == ["opened", "opened", "clock went back"]
    assert verify(folder).ok


# --- closing and forking ----------------------------------------------------------------------------------


@BOTH
async def test_a_closed_log_takes_nothing(folder: Path, durability: str):
    log = AuditLog(folder, durability=durability)
    await log.append({"kind": "intent", "call": "c"})
    log.close()
    log.close()
    with pytest.raises(AuditError, match="is closed"):
        await log.append({"kind": "intent", "call": "late"})
    with pytest.raises(AuditError, match="is closed"):
        log.append_blocking({"kind": "intent", "call": "late"})
    assert calls(folder) == ["c"]


def test_closing_an_unused_log_does_nothing(folder: Path):
    AuditLog(folder).close()
    assert not folder.exists()


@BOTH
def test_a_forked_child_writes_as_itself(folder: Path, durability: str):
    log = AuditLog(folder, durability=durability)
    log.append_blocking({"kind": "intent", "call": "before"})
    child = os.fork()
    if not child:
        status = 1
        try:
            for n in range(50):
                log.append_blocking({"kind": "intent", "call": f"child {n}"})
            status = 0
        finally:
            os._exit(status)
    for n in range(50):
        log.append_blocking({"kind": "intent", "call": f"parent {n}"})
    assert os.waitpid(child, 0)[1] == 0
    log.close()
    by_writer: dict[str, set[str]] = {}
    for record in read(folder):
        by_writer.setdefault(record["writer"].split(":")[1], set()).add(record.get("call", "").split(" ")[0])
    assert by_writer == {str(os.getpid()): {"", "before", "parent"}, str(child): {"", "child"}}
    assert verify(folder).ok and len(calls(folder)) == 101
