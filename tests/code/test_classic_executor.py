"""The classic API's own agents, with the crib as their executor: one line changes."""

from __future__ import annotations

from typing import Any

import pytest
from autogen import ConversableAgent
from autogen.coding import CodeBlock, CodeExecutor

from toolcrib import Crib
from toolcrib.adapters.classic_code import GovernedCodeExecutor
from toolcrib.errors import SandboxError


def executor(crib: Crib, agent: str = "coder", **options: Any) -> GovernedCodeExecutor:
    return GovernedCodeExecutor(crib, crib.principal(agent, "alice", run=agent), **options)


def run(one: GovernedCodeExecutor, *blocks: str, language: str = "python") -> Any:
    return one.execute_code_blocks([CodeBlock(code=code, language=language) for code in blocks])


def agent(crib: Crib) -> ConversableAgent:
    return ConversableAgent(
        "runner",
        llm_config=False,
        human_input_mode="NEVER",
        code_execution_config={"executor": executor(crib)},
    )


def test_it_is_an_executor_as_autogen_knows_them(crib: Crib) -> None:
    assert isinstance(executor(crib), CodeExecutor)


def test_the_stock_agent_runs_the_blocks_of_a_message(crib: Crib) -> None:
    message = {"role": "user", "content": "```python\nprint(6 * 7)\n```"}
    assert "exitcode: 0" in str(reply := agent(crib).generate_reply([message])) and "42" in str(reply)


async def test_also_in_an_async_chat(crib: Crib) -> None:
    message = {"role": "user", "content": "```python\nprint(6 * 7)\n```"}
    assert "42" in str(await agent(crib).a_generate_reply([message]))


def test_exit_codes_files_and_a_new_beginning(crib: Crib, tmp_path: Any) -> None:
    one = executor(crib, folder=tmp_path)
    assert run(one, "open('a', 'w').write('1')", "raise SystemExit(3)", "print(1)").exit_code == 3
    assert (tmp_path / "a").read_text() == "1" and [each.name for each in one.files] == ["a"]
    assert run(one, "print(open('a').read())").exit_code == 0
    one.restart()
    assert run(one, "print(open('a').read())").exit_code == 1


def test_refusals_are_results(crib: Crib, without_engine: Crib) -> None:
    assert run(executor(crib, memory=4096), "print(1)").exit_code == 126
    assert run(executor(crib, "careful"), "print(2)").output.startswith("WAITING FOR APPROVAL")
    assert run(executor(crib), "x", language="ruby").exit_code == 1
    assert run(executor(without_engine), "print(1)").exit_code == 126


def test_a_session_is_closed_by_restart(crib: Crib) -> None:
    one = executor(crib, "stateful", remembers=True)
    assert run(one, "x = 41", "print(x + 1)").output.strip() == "42"
    one.restart()
    assert "NameError" in run(one, "print(x)").output
    one.restart()


def test_a_new_beginning_that_policy_denies_is_not_passed_over(crib: Crib) -> None:
    one = executor(crib, "hoarder", remembers=True)
    assert run(one, "x = 41").exit_code == 0
    with pytest.raises(SandboxError, match=r"not closed: DENIED.*Permit code\.session_close"):
        one.restart()
    assert "41" in run(one, "print(x)").output
