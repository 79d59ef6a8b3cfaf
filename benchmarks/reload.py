"""How long a decision takes while a 100,000-rule policy is loaded, judged and swapped in, beside idle, in
one run.

- `call`: look for a change, find the rows, decide; once a millisecond, as calls come in. What a caller
waits for
- `late`: how much later than due such a decision was done, which also counts the wait for the interpreter
- `full_rate`: the same decisions one after another without a pause, the worst company that a load can have

`neighbour` is the same while another process loads the policy over and over: what the machine alone makes
of it. `spinning` is the same beside a thread that does nothing but count, in turns as short as those of a
load: what sharing the interpreter costs, whatever is done there. The reload is held to `spinning`: `excess`
is what it adds to that.

`over_1_ms` is the share of decisions that took longer than a millisecond; `longest` are single worst cases,
in which the machine's other work shows too. Times in microseconds.

    python benchmarks/reload.py [--json] [--rules 100000] [--reloads 3] [--no-gate]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from decision import calls, rules

from toolcrib.bench.beside import objections_beside
from toolcrib.policy import MODEL, Facts, PolicySource, Texts
from toolcrib.policy._gentle import gently
from toolcrib.policy._policy import Policy

PACE = 0.001
IDLE_SECONDS = 3.0
SPIN_SECONDS = 30.0
PARTS = ("p50", "p99", "p999", "longest")


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def summary(took: list[float]) -> dict[str, float]:
    return {
        "decisions": len(took),
        "p50": round(percentile(took, 0.5), 1),
        "p99": round(percentile(took, 0.99), 1),
        "p999": round(percentile(took, 0.999), 1),
        "longest": round(max(took), 1),
        "over_1_ms": round(sum(one > 1000 for one in took) / len(took), 6),
    }


class Desk:
    """Decides the calls of the benchmark, one after another."""

    def __init__(self, source: PolicySource, asked: list[Any]) -> None:
        self.source, self.asked, self.at, self.facts = source, asked, 0, Facts({})

    def decide(self) -> None:
        call = self.asked[self.at % len(self.asked)]
        self.at += 1
        policy = self.source.current()
        policy.decide(policy.candidates(*call), self.facts)

    def paced(self, goes_on: Callable[[], bool]) -> tuple[list[float], list[float]]:
        took, late = [], []
        due = time.perf_counter() + PACE
        while goes_on():
            pause = due - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            start = time.perf_counter()
            self.decide()
            end = time.perf_counter()
            took.append((end - start) * 1e6)
            late.append((end - due) * 1e6)
            due = max(due + PACE, end)
        return took, late

    def at_full_rate(self, goes_on: Callable[[], bool]) -> list[float]:
        took = []
        while goes_on():
            start = time.perf_counter()
            self.decide()
            took.append((time.perf_counter() - start) * 1e6)
        return took


def write(folder: Path, text: str, desk: Desk | None = None) -> None:
    """A file that has been whole for a minute; the last decision before it is there was made just now."""
    fresh = folder / "policy.new"
    fresh.write_text(text)
    os.utime(fresh, (time.time() - 60, time.time() - 60))
    if desk is not None:
        desk.decide()
    fresh.replace(folder / "policy.csv")


@contextmanager
def neighbour(folder: Path) -> Iterator[None]:
    """Another process that loads the same policy over and over: what company costs without sharing
    anything.
    """
    script = (
        "from pathlib import Path\nfrom toolcrib.policy import Policy\nprint(1, flush=True)\n"
        f"while True: Policy.load(Path({str(folder)!r}))"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    try:
        yield
    finally:
        child.kill()
        child.communicate()


@contextmanager
def spinning() -> Iterator[None]:
    """A thread of this process that only counts."""
    ended = False

    def spin() -> None:
        number = 0
        while not ended:
            number += 1

    thread = threading.Thread(target=spin, daemon=True)
    with gently():
        thread.start()
        try:
            yield
        finally:
            ended = True
            thread.join()


def for_seconds(seconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() < end


def until_reloaded(source: PolicySource) -> Callable[[], bool]:
    """Until another policy is in force, and half a second longer: what comes after the swap counts too."""
    before, end = source.current(), [0.0]

    def goes_on() -> bool:
        if not end[0] and source._policy is not before:
            end[0] = time.perf_counter() + 0.5
        return not end[0] or time.perf_counter() < end[0]

    return goes_on


class Times:
    """What was measured in one state: calls and lateness at a pace, and calls at full rate; microseconds."""

    def __init__(self) -> None:
        self.call: list[float] = []
        self.late: list[float] = []
        self.full: list[float] = []

    def paced(self, found: tuple[list[float], list[float]]) -> None:
        self.call, self.late = self.call + found[0], self.late + found[1]

    def summary(self) -> dict[str, Any]:
        return {"call": summary(self.call), "late": summary(self.late), "full_rate": summary(self.full)}


def measure(count: int, reloads: int, *, gated: bool) -> dict[str, Any]:
    chance = random.Random(count)
    rows = rules(count, chance)
    asked = calls(2000, rows, chance)

    def gate(texts: Texts, policy: Policy) -> list[str]:
        return objections_beside(texts, policy, []) if gated else []

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.conf").write_text(MODEL)
        os.utime(folder / "model.conf", (1_700_000_000, 1_700_000_000))
        write(folder, rows)
        desk = Desk(PolicySource(folder, gate=gate), asked)
        states, seconds = in_states(desk, folder, rows, reloads)
    result = {
        "benchmark": "reload",
        "unit": "microseconds",
        "rules": count,
        "gate": gated,
        "reload_seconds": round(sum(seconds) / len(seconds), 2),
        **{state: times.summary() for state, times in states.items()},
    }
    result["excess"] = {
        name: {key: round(result["reloading"][name][key] - result["spinning"][name][key], 1) for key in PARTS}
        for name in ("call", "late", "full_rate")
    }
    return result


def in_states(desk: Desk, folder: Path, rows: str, reloads: int) -> tuple[dict[str, Times], list[float]]:
    """The times of each state, and the seconds that each reload at a pace took."""
    states = {name: Times() for name in ("idle", "neighbour", "spinning", "reloading")}
    desk.at_full_rate(for_seconds(1))
    steady(desk, states["idle"], IDLE_SECONDS, 1)
    with neighbour(folder):
        steady(desk, states["neighbour"], IDLE_SECONDS, 1)
    reloading, seconds, full_seconds = states["reloading"], list[float](), 0.0
    for number in range(reloads):
        write(folder, f"{rows}p, user:extra{number}, *, *, *, True, deny\n", desk)
        start = time.perf_counter()
        reloading.paced(desk.paced(until_reloaded(desk.source)))
        seconds.append(time.perf_counter() - start - 0.5)
        write(folder, f"{rows}p, user:other{number}, *, *, *, True, deny\n", desk)
        start = time.perf_counter()
        reloading.full += desk.at_full_rate(until_reloaded(desk.source))
        full_seconds += time.perf_counter() - start
    with spinning():  # for as long, since the longest of many is longer than that of few
        steady(desk, states["spinning"], min(sum(seconds), SPIN_SECONDS), min(full_seconds, SPIN_SECONDS))
    return states, seconds


def steady(desk: Desk, times: Times, paced_seconds: float, full_seconds: float) -> None:
    """Measure while nothing is reloaded."""
    times.paced(desk.paced(for_seconds(paced_seconds)))
    times.full += desk.at_full_rate(for_seconds(full_seconds))


def report(found: dict[str, Any]) -> None:
    print(f"{found['rules']} rules, one reload beside the calls {found['reload_seconds']} s; microseconds")
    print(f"{'':>10} {'':>10} {'p50':>9} {'p99':>9} {'p99.9':>9} {'longest':>9} {'> 1 ms':>9}")
    for name in ("call", "late", "full_rate"):
        for state in ("idle", "neighbour", "spinning", "reloading"):
            one = found[state][name]
            print(f"{name:>10} {state:>10} {cells(one)} {one['over_1_ms']:>9.4%}")
        print(f"{name:>10} {'excess':>10} {cells(found['excess'][name])}")
    print("excess: what a reload adds to a thread that only counts; aim: at most 1000 us")


def cells(one: dict[str, float]) -> str:
    return " ".join(f"{one[key]:>9}" for key in PARTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rules", type=int, default=100_000)
    parser.add_argument("--reloads", type=int, default=3)
    parser.add_argument("--no-gate", action="store_true", help="load and swap only")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = measure(options.rules, options.reloads, gated=not options.no_gate)
    if options.json:
        json.dump(found, sys.stdout)
        print()
    else:
        report(found)


if __name__ == "__main__":
    main()
