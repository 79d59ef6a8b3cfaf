"""Durable audit records per second at 1, 16 and 64 callers, beside the disk; and the cost of one `written`
record.

    python benchmarks/audit.py [--seconds 2] [--json]

Two floors stand beside each durable run, measured in turn with it, in the same process, medians of all
rounds:

- *group*: the same callers on the same kind of event loop hand ready-made bytes to a thread that does one
write and one fdatasync for all that have gathered. That is group commit with no log in it: no JSON, no
chain, no lock, no checks. - *disk*: the very bytes that the log wrote, in the very batches in which it
wrote them, are written again by a plain loop with one fdatasync each: the disk for a program that has no
callers.

`ratio` is ours over *group*, which no asyncio program can leave behind; `ratio_disk` is ours over *disk*.

The floor of `written` is a loop that does what no such log can leave out: canonical JSON, SHA-256, lock,
fstat, write, unlock.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import hashlib
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from toolcrib.audit import AuditLog
from toolcrib.audit import _store as store_module

CALLERS = (1, 16, 64)
ROUNDS = 5

Append: TypeAlias = Callable[[dict[str, object]], Awaitable[object]]


def record(number: int) -> dict[str, object]:
    """About as large as an ordinary intent record."""
    return {
        "kind": "intent",
        "call": f"call-{number:016x}",
        "tool": "crm.set_opportunity_stage",
        "pack": "crm",
        "pack_version": "0.1.0",
        "effect": "write",
        "user": "alice",
        "agent": "sales",
        "roles": ["sales"],
        "tenant": "acme",
        "session": "s-1",
        "run": "run-1",
        "reason": "The customer confirmed by mail",
        "arguments": {"opportunity_id": "006A0000001", "stage": "Proposal"},
        "decision": "allow",
        "rows": ["policy.csv:12 (p, role:sales, *, crm.*, write, True, allow)"],
        "revision": "0123456789ab",
    }


async def callers(append: Append, count: int, seconds: float) -> tuple[float, list[float]]:
    """Records per second and each call's latency; `count` callers append one record after the other."""
    end = time.perf_counter() + seconds
    latencies: list[float] = []

    async def caller() -> None:
        while (start := time.perf_counter()) < end:
            await append(record(len(latencies)))
            latencies.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(count)))
    return len(latencies) / (time.perf_counter() - start), latencies


class Group:
    """Group commit with nothing else: the *group* floor."""

    def __init__(self, path: Path, line: bytes) -> None:
        self.line, self.waiting, self.lock = line, [], threading.Lock()
        self.wake, self.open = threading.Semaphore(0), True
        self.descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    async def append(self, _: dict[str, object]) -> None:
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        with self.lock:
            self.waiting.append((waiter, loop))
            is_first = len(self.waiting) == 1
        if is_first:
            self.wake.release()
        await waiter

    def run(self) -> None:
        while self.wake.acquire() and self.open:
            with self.lock:
                batch, self.waiting = self.waiting, []
            os.write(self.descriptor, self.line * len(batch))
            os.fdatasync(self.descriptor)
            batch[0][1].call_soon_threadsafe(
                lambda done=batch: [waiter.set_result(None) for waiter, _ in done]
            )

    def close(self) -> None:
        self.open = False
        self.wake.release()
        self.thread.join()
        os.close(self.descriptor)


def durable(folder: Path, count: int, seconds: float) -> dict[str, Any]:
    rounds = [one_round(folder / f"{count}-{number}", count, seconds / ROUNDS) for number in range(ROUNDS)]
    ours, group, disk, per_batch = (
        statistics.median(values) for values in list(zip(*rounds, strict=True))[:4]
    )
    latencies = sorted(latency for *_, several in rounds for latency in several)
    return {
        "callers": count,
        "records_per_second": round(ours),
        "p50_microseconds": round(latencies[len(latencies) // 2] * 1e6),
        "p99_microseconds": round(latencies[int(len(latencies) * 0.99)] * 1e6),
        "records_per_batch": round(per_batch, 1),
        "group_records_per_second": round(group),
        "ratio": round(statistics.median(one[0] / one[1] for one in rounds), 2),
        "disk_records_per_second": round(disk),
        "ratio_disk": round(statistics.median(one[0] / one[2] for one in rounds), 2),
    }


def one_round(folder: Path, count: int, seconds: float) -> tuple[float, float, float, float, list[float]]:
    batches: list[int] = []
    true_write = store_module.write

    def counting_write(descriptor: int, data: bytes) -> int:
        batches.append(len(data))
        return true_write(descriptor, data)

    store_module.write = counting_write  # the only way to learn the batches without changing them
    try:
        log = AuditLog(folder / "log", segment_bytes=1 << 40)
        ours, latencies = asyncio.run(callers(log.append, count, seconds))
        log.close()
    finally:
        store_module.write = true_write
    source = folder / "log" / "000001.jsonl"
    group = Group(folder / "group", source.read_bytes().splitlines(keepends=True)[-1])
    bare, _ = asyncio.run(callers(group.append, count, seconds))
    group.close()
    disk = len(latencies) / replay(source, folder / "disk", batches)
    return ours, bare, disk, len(latencies) / len(batches), latencies


def replay(source: Path, target: Path, batches: list[int]) -> float:
    """Seconds to write the bytes of `source` again in the same batches, each with one fdatasync."""
    data = memoryview(source.read_bytes())
    descriptor = os.open(target, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND)
    start, at = time.perf_counter(), 0
    for size in batches:
        os.write(descriptor, data[at : at + size])
        os.fdatasync(descriptor)
        at += size
    took = time.perf_counter() - start
    os.close(descriptor)
    return took


def written(folder: Path, records: int = 50_000) -> dict[str, Any]:
    log = AuditLog(folder / "written", durability="written")
    log.append_blocking(record(0))
    pairs = [(each_written(log, records // 5), bare(folder, records // 5)) for _ in range(5)]
    log.close()
    ours, floor = (sorted(values)[2] for values in zip(*pairs, strict=True))
    return {
        "microseconds": round(ours, 2),
        "floor_microseconds": round(floor, 2),
        "ratio": round(ours / floor, 2),
    }


def each_written(log: AuditLog, records: int) -> float:
    made = [record(number) for number in range(records)]

    async def run() -> float:
        start = time.perf_counter()
        for one in made:
            await log.append(one)
        return time.perf_counter() - start

    return asyncio.run(run()) / records * 1e6


def bare(folder: Path, records: int) -> float:
    log = {
        "prev": "0" * 64,
        "segment": 1,
        "seq": 1,
        "ts": "2026-11-22T11:33:00.123456Z",
        "v": 1,
        "writer": "h:1",
    }
    made = [{"hash": "0" * 64, "log": log, "record": record(number)} for number in range(records)]
    folder_fd = os.open(folder, os.O_RDONLY)
    descriptor = os.open(folder / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    start = time.perf_counter()
    for one in made:
        data = orjson.dumps(one, option=orjson.OPT_SORT_KEYS)
        hashlib.sha256(data).hexdigest()
        fcntl.flock(folder_fd, fcntl.LOCK_EX)
        os.fstat(descriptor)
        os.write(descriptor, data)
        fcntl.flock(folder_fd, fcntl.LOCK_UN)
    took = time.perf_counter() - start
    os.close(descriptor)
    os.close(folder_fd)
    return took / records * 1e6


def measure(seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = [durable(folder, count, seconds) for count in CALLERS]
        return {
            "benchmark": "audit",
            "durable": runs,
            "written": written(folder),
            "floor": {
                "group": "the same callers, one write + fdatasync for all that gathered, no log in it",
                "disk": "the same bytes in the same batches, write + fdatasync in a plain loop",
                "written": "canonical JSON + SHA-256 + lock + fstat + write + unlock in a plain loop",
            },
            "ratio": runs[-1]["ratio"],
            "ratio_disk": runs[-1]["ratio_disk"],
            "aim": "durable at 64 callers: ratio >= 0.5; written: <= 5 microseconds a record",
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="for each number of callers, shared by the rounds"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.seconds)
    if options.json:
        print(json.dumps(result))
        return
    print("durable  callers  records/s  per batch  p50 µs  p99 µs  group floor/s  ratio  disk floor/s  ratio")
    for run in result["durable"]:
        print(
            f"{run['callers']:>16}  {run['records_per_second']:>9,}  {run['records_per_batch']:>9}"
            f"  {run['p50_microseconds']:>6,}  {run['p99_microseconds']:>6,}"
            f"  {run['group_records_per_second']:>13,}  {run['ratio']:>5}"
            f"  {run['disk_records_per_second']:>12,}  {run['ratio_disk']:>5}"
        )
    one = result["written"]
    print(
        f"written  {one['microseconds']} µs a record, floor {one['floor_microseconds']}, ratio {one['ratio']}"
    )
    print(f"aim      {result['aim']}")


if __name__ == "__main__":
    main()
