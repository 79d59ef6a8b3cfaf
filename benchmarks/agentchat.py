"""One tool call of a governed agent, beside a stock AssistantAgent with FunctionTools.

    python benchmarks/agentchat.py [--runs 300] [--json]

`turn` is a whole `agent.run`: model (a replay), one tool call, summary. `call` is the tool call in it
(`AssistantAgent._execute_tool_call`). Both agents have the same `--tools` async functions, and take turns in
one process; times are medians in microseconds. `ratio` is governed over stock. Audit durability is `written`:
both records are with the operating system before the agent goes on, none is synced.
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

from autogen_agentchat.agents import AssistantAgent
from autogen_core import CancellationToken, FunctionCall
from autogen_core.models import CreateResult, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

from toolcrib import tool
from toolcrib.adapters.agentchat import governed_agent
from toolcrib.testing.cribs import make_crib

AIM = 1.0
CONFIG = '[audit]\ndurability = "written"\n[limits]\nrepeats = 100000000\n'
CALL = FunctionCall(id="call_1", name="add_0", arguments='{"a": 2, "b": 40}')


def functions(count: int) -> list[Callable[..., Any]]:
    """`count` equal functions by different names."""

    def one(number: int) -> Callable[..., Any]:
        async def add(a: int, b: int, note: str = "", limit: int = 10) -> int:
            """Add two numbers."""
            return a + b

        add.__name__ = f"add_{number}"
        return add

    return [one(number) for number in range(count)]


def model() -> ReplayChatCompletionClient:
    usage = RequestUsage(prompt_tokens=0, completion_tokens=0)
    step = CreateResult(finish_reason="function_calls", content=[CALL], usage=usage, cached=False)
    info: Any = dict.fromkeys(("vision", "function_calling", "json_output", "structured_output"), True)
    info |= {"family": "unknown"}
    return ReplayChatCompletionClient([step], model_info=info)


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    start = time.perf_counter_ns()
    await work()
    return (time.perf_counter_ns() - start) / 1000


def turn_of(agent: AssistantAgent) -> Callable[[], Awaitable[Any]]:
    """A whole turn, from a clean context."""

    async def turn() -> None:
        result = await agent.run(task="add 2 and 40")
        assert result.messages[-1].to_text() == "42", result.messages[-1]

    return turn


def call_of(agent: AssistantAgent) -> Callable[[], Awaitable[Any]]:
    """The tool call alone."""
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def call() -> None:
        _, result = await agent._execute_tool_call(
            CALL, agent._workbench, [], agent.name, CancellationToken(), queue
        )
        assert result.content == "42", result

    return call


async def measure(runs: int, tools: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        crib = make_crib(Path(folder), "p, *, acme, local.*, *, True, allow", config=CONFIG)
        made = functions(tools)
        crib.add(*(tool(effect="read")(each) for each in made))
        agents: dict[str, AssistantAgent] = {
            "stock": AssistantAgent("operator", model(), tools=list(made)),
            "governed": governed_agent(crib, crib.principal("operator", "alice"), model()),
        }
        times: dict[str, list[float]] = {f"{what}_{name}": [] for what in ("turn", "call") for name in agents}
        for _ in range(runs):
            for name, agent in agents.items():
                times[f"call_{name}"].append(await timed(call_of(agent)))
                times[f"turn_{name}"].append(await timed(turn_of(agent)))
                await agent.on_reset(CancellationToken())
                agent._model_client.reset()  # type: ignore[attr-defined]
        crib.close()
    figures = {name: round(statistics.median(values[runs // 10 :]), 1) for name, values in times.items()}
    return {
        "benchmark": "agentchat",
        "unit": "microseconds, median",
        "tools": tools,
        **figures,
        "ratio_turn": round(figures["turn_governed"] / figures["turn_stock"], 2),
        "ratio": round(figures["call_governed"] / figures["call_stock"], 2),
        "aim_ratio": AIM,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--tools", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measure(options.runs, options.tools))
    if options.json:
        print(json.dumps(found))
        return
    print(f"an agent with {found['tools']} tools, one call; aim: governed is not slower (ratio <= {AIM:g})")
    for what, ratio in (("turn", "ratio_turn"), ("call", "ratio")):
        stock, governed = found[f"{what}_stock"], found[f"{what}_governed"]
        print(f"{what}: stock {stock} µs, governed {governed} µs, ratio {found[ratio]}")


if __name__ == "__main__":
    main()
