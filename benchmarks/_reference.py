"""The unit in which a figure of this machine can be held to an aim of another.

The aims were set in microseconds on a machine on which AutoGen's naked `FunctionTool.run_json` takes
`REFERENCE` of them. A processor that is three times slower misses an aim of microseconds whatever the code
does, so each aim is also told as a ratio: so many of these calls, measured in the same run, in processor
time. That holds for what is mostly Python; what is mostly reading bytes has a floor of its own (`verify.py`,
`redaction.py`).
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

from autogen_core import CancellationToken
from autogen_core.tools import FunctionTool

__all__ = ["ARGUMENTS", "REFERENCE", "add", "beside_aim", "told", "unit"]

REFERENCE = 14.4
"""Microseconds of one `FunctionTool.run_json` where the aims were set."""

ARGUMENTS: dict[str, Any] = {"a": 2, "b": 40, "note": "hello", "mode": "x", "limit": 5, "flag": True}


async def add(
    a: int, b: int, note: str = "", mode: str = "x", limit: int = 10, flag: bool = False
) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


def unit(calls: int = 500, rounds: int = 9) -> float:
    """Microseconds of processor time that one `FunctionTool.run_json` takes here and now."""
    return asyncio.run(_unit(calls, rounds))


async def _unit(calls: int, rounds: int) -> float:
    plain, token = FunctionTool(add, description="Add two numbers."), CancellationToken()
    await plain.run_json(ARGUMENTS, token)
    found = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(calls):
            await plain.run_json(ARGUMENTS, token)
        found.append((time.process_time() - start) / calls * 1e6)
    return statistics.median(found)


def beside_aim(here: float, aim: float, one: float) -> dict[str, float | bool]:
    """`here` and `aim` in microseconds, and both as ratios: of `one` call of FunctionTool in this run, and of
    that where the aim was set.
    """
    ratio, allowed = here / one, aim / REFERENCE
    return {
        "here_us": round(here, 2),
        "aim_us": aim,
        "function_tool_us": round(one, 1),
        "here": round(ratio, 3),
        "aim": round(allowed, 3),
        "met": ratio <= allowed,
    }


def told(name: str, found: dict[str, Any]) -> str:
    """One line of a report."""
    verdict = "met" if found["met"] else "missed"
    return (
        f"{name}: here {found['here']:g} FunctionTool, aim {found['aim']:g}: {verdict}"
        f" ({found['here_us']:g} µs, where a FunctionTool.run_json takes {found['function_tool_us']:g};"
        f" the aim is {found['aim_us']:g} µs where it takes {REFERENCE:g})"
    )
