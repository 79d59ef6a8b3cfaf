"""AgentChat's own CodeExecutorAgent, on a crib."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent, CodeExecutorAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock
from autogen_ext.models.replay import ReplayChatCompletionClient

from toolcrib import Crib
from toolcrib.adapters.agentchat_code import GovernedCodeExecutor
from toolcrib.audit import read
from toolcrib.errors import ConfigError, SandboxError


def executor(crib: Crib, agent: str = "coder", **options: Any) -> GovernedCodeExecutor:
    return GovernedCodeExecutor(crib, crib.principal(agent, "alice", run=agent), **options)


async def run(one: GovernedCodeExecutor, *blocks: str, language: str = "python") -> Any:
    return await one.execute_code_blocks([CodeBlock(code, language) for code in blocks], CancellationToken())


async def test_a_team_of_a_model_and_the_stock_agent(crib: Crib) -> None:
    client = ReplayChatCompletionClient(["```python\nprint(6 * 7)\n```"])
    team = RoundRobinGroupChat(
        [AssistantAgent("writer", client), CodeExecutorAgent("runner", executor(crib))],
        termination_condition=MaxMessageTermination(3),
    )
    result = await team.run(task="What is six times seven?")
    assert "42" in result.messages[-1].to_text()
    records = [each for each in read(crib.config.state / "audit") if each["kind"] == "outcome"]
    assert records[-1]["tool"] == "code.run_python" and records[-1]["agent"] == "coder"


async def test_output_and_exit_code(crib: Crib) -> None:
    result = await run(executor(crib), "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert result.exit_code == 3 and "out" in result.output and "err" in result.output


async def test_files_go_from_block_to_block_and_into_the_folder(crib: Crib, tmp_path: Path) -> None:
    one = executor(crib, folder=tmp_path / "work")
    result = await run(one, "open('a.txt', 'w').write('1')", "print(open('a.txt').read() + '!')")
    assert result.exit_code == 0 and "1!" in result.output
    assert (tmp_path / "work" / "a.txt").read_text() == "1"
    assert [each.name for each in one.files] == ["a.txt"]
    assert "1?" in (await run(one, "print(open('a.txt').read() + '?')")).output
    await one.restart()
    assert (await run(one, "open('a.txt')")).exit_code == 1


async def test_a_block_that_fails_ends_the_rest(crib: Crib) -> None:
    result = await run(executor(crib), "print('first')", "raise SystemExit(2)", "print('third')")
    assert result.exit_code == 2 and "first" in result.output and "third" not in result.output


async def test_shell_and_what_is_no_language(crib: Crib) -> None:
    assert "hi" in (await run(executor(crib), "echo hi", language="bash")).output
    result = await run(executor(crib), "1", language="ruby")
    assert result.exit_code == 1 and "ruby" in result.output


async def test_time_that_is_up(crib: Crib) -> None:
    result = await run(executor(crib, seconds=0.5), "while True: pass")
    assert result.exit_code == 124 and "Timeout" in result.output


async def test_a_denial_is_a_result(crib: Crib) -> None:
    result = await run(executor(crib, memory=4096), "print(1)")
    assert result.exit_code == 126 and result.output.startswith("DENIED")
    assert (await run(executor(crib, "nobody"), "print(1)")).exit_code == 126


async def test_a_call_that_waits_for_a_human_is_a_result(crib: Crib) -> None:
    result = await run(executor(crib, "careful"), "print(1)")
    assert result.exit_code == 126 and result.output.startswith("WAITING FOR APPROVAL")


async def test_an_engine_that_is_not_there_is_a_result(without_engine: Crib) -> None:
    result = await run(executor(without_engine), "print(1)")
    assert result.exit_code == 126 and "Docker engine" in result.output


async def test_a_session_remembers_until_it_is_stopped(crib: Crib) -> None:
    one = executor(crib, "stateful", remembers=True)
    async with one:
        assert (await run(one, "x = 41", "print(x + 1)")).output.strip() == "42"
    assert "NameError" in (await run(one, "print(x)")).output
    await one.stop()


async def test_a_new_beginning_that_policy_denies_is_not_passed_over(crib: Crib) -> None:
    one = executor(crib, "hoarder", remembers=True)
    assert (await run(one, "x = 41")).exit_code == 0
    for begin_anew in (one.restart, one.stop):
        with pytest.raises(SandboxError, match=r"not closed: DENIED.*Permit code\.session_close"):
            await begin_anew()
    assert "41" in (await run(one, "print(x)")).output


async def test_code_does_not_outlive_the_task_that_ran_it(crib: Crib) -> None:
    task = asyncio.ensure_future(run(executor(crib, seconds=15), "import time; time.sleep(15)  # outlived"))

    def records(kind: str) -> list[Any]:
        found = [each for each in read(crib.audit.folder) if "outlived" in str(each)]
        calls = {each["call"] for each in found}
        return [each for each in read(crib.audit.folder) if each["kind"] == kind and each["call"] in calls]

    async with asyncio.timeout(20):
        while not records("intent"):
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert [each["status"] for each in records("outcome")] == ["cancelled"]


async def test_cancelling_gives_the_agent_a_result_and_does_not_hang(crib: Crib) -> None:
    token = CancellationToken()
    agent = CodeExecutorAgent("runner", executor(crib))
    message = TextMessage(content="```python\nimport time; time.sleep(60)\n```", source="writer")
    task = asyncio.ensure_future(agent.on_messages([message], token))
    async with asyncio.timeout(20):
        while not any(each["kind"] == "intent" and "sleep" in str(each) for each in read(crib.audit.folder)):
            await asyncio.sleep(0.05)
        token.cancel()
        await asyncio.wait([task])
    assert not task.cancelled() and "CANCELLED" in task.result().chat_message.to_text()
    assert "42" in (await run(executor(crib), "print(42)")).output


async def test_it_is_not_written_down_without_its_policy(crib: Crib) -> None:
    with pytest.raises(NotImplementedError):
        executor(crib).dump_component()


def test_a_session_has_no_network(crib: Crib) -> None:
    with pytest.raises(ConfigError, match="no network"):
        executor(crib, remembers=True, egress=["a.example:443"])
