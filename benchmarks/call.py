"""One governed call of a trivial async tool, beside AutoGen's own `FunctionTool.run_json` of it.

    python benchmarks/call.py [--calls 4000] [--json]

`written`: both records are with the operating system before the call goes on, none is synced. `fsync`: both
are on the disk. Times are medians in microseconds, taken in turns in one process; `over_tool` is what
governing adds to the bare coroutine, `ratio` is governed over FunctionTool. `beside_aim` is the governed call
in processor time, in rounds beside FunctionTool, so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from _reference import ARGUMENTS, REFERENCE, add, beside_aim, told
from autogen_core import CancellationToken
from autogen_core.tools import FunctionTool

from toolcrib import Crib, ToolCall, tool
from toolcrib.testing.cribs import make_crib

AIM = 25.0
ROUNDS = 5
SLICES = 12


async def median(work: Callable[[], Awaitable[object]], calls: int) -> float:
    times = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        await work()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1000


async def processor(work: Callable[[], Awaitable[object]], calls: int) -> float:
    """Microseconds of this process's processor time for one."""
    start = time.process_time()
    for _ in range(calls):
        await work()
    return (time.process_time() - start) / calls * 1e6


def crib_in(folder: Path, durability: str) -> Crib:
    config = f'[audit]\ndurability = "{durability}"\n[limits]\nrepeats = 100000000\n'
    crib = make_crib(folder, "p, *, acme, local.*, *, True, allow", config=config)
    crib.add(tool(effect="read")(add))
    return crib


async def throughput(crib: Crib, callers: int, calls: int) -> float:
    me = crib.principal("analyst", "alice")

    async def caller() -> None:
        for _ in range(calls // callers):
            await crib.execute(ToolCall("local.add", ARGUMENTS, me))

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return calls / (time.perf_counter() - start)


async def measure(calls: int) -> dict[str, Any]:
    plain, token = FunctionTool(add, description="Add two numbers."), CancellationToken()
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        written, durable = crib_in(Path(first), "written"), crib_in(Path(second), "fsync")
        me = written.principal("analyst", "alice")
        rounds: dict[str, list[float]] = {"bare": [], "function_tool": [], "written": [], "fsync": []}
        for _ in range(ROUNDS):
            rounds["bare"].append(await median(lambda: add(**ARGUMENTS), calls))
            rounds["function_tool"].append(await median(lambda: plain.run_json(ARGUMENTS, token), calls))
            call = ToolCall("local.add", ARGUMENTS, me)
            rounds["written"].append(await median(lambda: written.execute(call), calls))  # noqa: B023
            rounds["fsync"].append(await median(lambda: durable.execute(call), max(calls // 20, 50)))  # noqa: B023
        pairs = [
            (
                await processor(lambda: written.execute(call), calls // SLICES),
                await processor(lambda: plain.run_json(ARGUMENTS, token), calls // SLICES),
            )
            for _ in range(SLICES)
        ]
        rate = {
            str(callers): round(await throughput(durable, callers, calls)) for callers in (1, 16, 64, 256)
        }
        written.close()
        durable.close()
    figures = {name: round(statistics.median(values), 1) for name, values in rounds.items()}
    over = round(figures["written"] - figures["bare"], 1)
    governed, bare_tool = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    return {
        "benchmark": "call",
        "unit": "microseconds, median",
        **figures,
        "over_tool": over,
        "aim_over_tool": AIM,
        "beside_aim": beside_aim(governed, AIM + REFERENCE, bare_tool),
        "ratio": round(figures["written"] / figures["function_tool"], 2),
        "ratio_over_tool_to_function_tool": round(over / figures["function_tool"], 2),
        "durable_calls_per_second_by_callers": rate,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.calls))
    if options.json:
        print(json.dumps(found))
        return
    over, times, bare = found["over_tool"], found["ratio"], found["bare"]
    print(f"bare tool {bare} µs, FunctionTool.run_json {found['function_tool']} µs")
    print(f"governed {found['written']} µs: {over} µs over the tool (aim {AIM:g}), ×{times} FunctionTool")
    print(told("governed call", found["beside_aim"]))
    print(f"governed, both records on the disk: {found['fsync']} µs")
    print(f"durable calls per second, by callers: {found['durable_calls_per_second_by_callers']}")


if __name__ == "__main__":
    main()
