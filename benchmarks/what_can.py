"""What one user and one agent may do with 1,000 tools, beside plain pycasbin, in one run.

- `first`: nobody has asked about these two before
- `warm`: they were asked about before. The aim is p50 < 1 ms
- `one_subject`: the same for the user alone
- `pycasbin`: plain Casbin over the p rows, both subjects, on a few of the tools; times 1,000 / those

Times are in milliseconds for all 1,000 tools.

    python benchmarks/what_can.py [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from _reference import beside_aim, told, unit
from decision import Tool, calls, casbin_p50, rules, tools

from toolcrib.bench.view import View
from toolcrib.policy import Policy
from toolcrib.policy._model import MODEL

AIM = 1000.0
"""Microseconds for 1,000 tools, asked about before."""
PAIRS = 200
WARM = 20
"""Times that each of some pairs is asked about again."""


def milliseconds(work: Callable[[Any], object], items: Sequence[Any]) -> list[float]:
    clock, took = time.perf_counter_ns, []
    for item in items:
        start = clock()
        work(item)
        took.append((clock() - start) / 1e6)
    return took


def summary(took: list[float]) -> dict[str, float]:
    took = sorted(took)
    return {"p50_ms": round(statistics.median(took), 3), "p99_ms": round(took[int(len(took) * 0.99)], 3)}


def measure(size: int) -> dict[str, Any]:
    chance = random.Random(size)
    rows = rules(size, chance)
    policy = Policy.of(MODEL, rows)
    every: list[Tool] = tools()
    asked = calls(PAIRS, rows, chance)
    views = {tenant: View(policy, tenant) for tenant in {who.tenant for who, _ in asked}}

    def both(call: tuple[Any, Tool]) -> object:
        return views[call[0].tenant].what_can(every, *call[0].subjects)

    def user(call: tuple[Any, Tool]) -> object:
        return views[call[0].tenant].what_can(every, call[0].subjects[0])

    gc.collect()
    first = milliseconds(both, asked)
    again = [call for call in asked[:20] for _ in range(WARM)]
    milliseconds(both, again)
    warm = milliseconds(both, again)
    milliseconds(user, again)
    one_subject = milliseconds(user, again)
    plain = casbin_p50(rows, asked)
    casbin_ms = plain["p50_us"] / 1000 * len(every)
    return {
        "rules": size,
        "tools": len(every),
        "first": summary(first),
        "warm": summary(warm),
        "one_subject": summary(one_subject),
        "beside_aim": beside_aim(summary(warm)["p50_ms"] * 1000, AIM, unit()),
        "pycasbin": {"p50_ms": round(casbin_ms, 1), "calls": plain["calls"]},
        "pycasbin_over_first": round(casbin_ms / summary(first)["p50_ms"]),
        "pycasbin_over_warm": round(casbin_ms / summary(warm)["p50_ms"]),
    }


def report(results: Sequence[dict[str, Any]]) -> None:
    columns = ("first", "warm", "one_subject", "pycasbin")
    print(f"{'rules':>8} " + " ".join(f"{name:>14}" for name in columns) + "   pycasbin/warm")
    for one in results:
        cells = " ".join(f"{one[name]['p50_ms']:>11} ms" for name in columns)
        print(f"{one['rules']:>8} {cells}   {one['pycasbin_over_warm']:>10}x")
        print(told("         warm", one["beside_aim"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = [measure(size) for size in (1_000, 10_000, 100_000)]
    if options.json:
        json.dump({"what_can": results}, sys.stdout)
        print()
    else:
        report(results)


if __name__ == "__main__":
    main()
