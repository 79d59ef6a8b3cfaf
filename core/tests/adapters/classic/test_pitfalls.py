"""What goes wrong in the classic API unless one knows; each pitfall has the test that shows it does not."""

import asyncio
import contextvars
import os
import signal
import threading

import autogen
import pytest

from toolcrib import CallContext, tool
from toolcrib.adapters.classic import HumanProxyAgent
from toolcrib.errors import ConfigError
from toolcrib.testing import Call

ROWS = "p, agent:analyst, acme, local.*, *, True, allow"


def test_overriding_a_reply_function_alone_does_nothing_so_ours_are_registered(make, bank, serve, pair, chat):
    class Overrides(autogen.UserProxyAgent):
        def generate_tool_calls_reply(self, messages=None, sender=None, config=None):
            raise AssertionError("never called: the registered function is the base class's")

    crib = make()
    stock = Overrides("stock", human_input_mode="NEVER", code_execution_config=False)
    call = {"id": "c1", "type": "function", "function": {"name": "x", "arguments": "{}"}}
    reply = stock.generate_reply(messages=[{"role": "assistant", "content": None, "tool_calls": [call]}])
    assert "not found" in reply["content"]

    with serve(analyst=[Call("read_balance", {"account": "A"}), "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        chat(runner, analyst)
    assert bank.read == [("analyst", "alice", "A")]


def test_a_release_that_registers_other_reply_functions_is_refused(make, monkeypatch):
    def register_reply(self, *args, **kwargs):
        self._reply_func_list = []

    crib = make()
    monkeypatch.setattr(autogen.ConversableAgent, "register_reply", register_reply)
    with pytest.raises(ConfigError, match="does not register generate_tool_calls_reply"):
        HumanProxyAgent("proxy", crib, [])


def test_safeguard_hooks_are_skipped_in_async_chats_so_nothing_relies_on_them(
    make, bank, serve, pair, chat, log
):
    crib = make()
    with serve(analyst=[Call("transfer", {"account": "A", "amount": 1}), "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        runner.register_hook(
            "safeguard_tool_inputs", lambda call: {"name": "read_balance", "arguments": "{}"}
        )
        chat(runner, analyst)
    assert [(record["tool"], record["status"]) for record in log()] == [("local.transfer", "denied")]


def test_async_tools_in_sync_chats_lose_context_variables_but_never_the_principal(make, serve, pair, chat):
    who = contextvars.ContextVar("who", default="nobody")
    seen = []

    @tool(effect="read")
    async def whoami(ctx: CallContext) -> str:
        """Who asks."""
        seen.append((ctx.principal.user, ctx.principal.agent))
        return ctx.principal.agent

    crib = make(ROWS)
    crib.add(whoami)
    who.set("mallory")
    with serve(analyst=[Call("whoami", {}), "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        chat(runner, analyst)
    assert seen == [("alice", "analyst")]


def test_a_sync_chat_within_a_running_loop_does_not_deadlock(make, bank, serve, pair):
    """As in a notebook: the loop of the caller stands still while the chat runs."""
    crib = make()

    async def notebook():
        with serve(analyst=[Call("read_balance", {"account": "A"}), "TERMINATE"]) as model:
            analyst, runner = pair(crib, model, "analyst")
            runner.initiate_chat(analyst, message="go", silent=True)

    asyncio.run(notebook())
    assert bank.read == [("analyst", "alice", "A")]


def test_a_tool_may_itself_hold_a_sync_chat(make, bank, serve, pair, chat):
    """An async tool that blocks its loop with a chat, whose tools would want that very loop."""
    crib = make(ROWS)

    @tool(effect="read")
    async def ask_a_colleague(account: str) -> str:
        """Ask a colleague."""
        with serve(analyst=[Call("read_balance", {"account": account}), "TERMINATE"]) as inner:
            colleague, runner = pair(crib, inner, "analyst")
            runner.initiate_chat(colleague, message="go", silent=True)
        return "asked"

    crib.add(ask_a_colleague)
    with serve(analyst=[Call("ask_a_colleague", {"account": "A"}), "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        chat(runner, analyst)
    assert bank.read == [("analyst", "alice", "A")]


def test_human_input_always_does_not_ask_whether_enter_runs_the_tool(
    make, bank, serve, pair, monkeypatch, chat
):
    """Stock: Enter runs, text interrupts, exit ends. Here approvals ask, and a human only talks."""
    crib = make()
    asked = []

    def get_human_input(self, prompt, *, iostream=None):
        asked.append(prompt)
        return "exit"

    async def a_get_human_input(self, prompt, *, iostream=None):
        return get_human_input(self, prompt)

    monkeypatch.setattr(HumanProxyAgent, "get_human_input", get_human_input)
    monkeypatch.setattr(HumanProxyAgent, "a_get_human_input", a_get_human_input)
    with serve(analyst=[Call("read_balance", {"account": "A"}), "What now?"]) as model:
        analyst, runner = pair(crib, model, "analyst", human_input_mode="ALWAYS")
        result = chat(runner, analyst)
    assert bank.read == [("analyst", "alice", "A")]
    assert len(asked) == 1
    assert result.chat_history[-1]["content"] == "What now?"


def test_code_is_not_run_by_the_proxy(make, serve, pair, chat, tmp_path):
    """A stock UserProxyAgent runs the code blocks of whoever talks to it."""
    crib = make()
    with pytest.raises(ConfigError, match="would run code that no policy sees"):
        HumanProxyAgent("proxy", crib, [], code_execution_config={"use_docker": False})
    target = tmp_path / "ran"
    code = f"```python\nopen({str(target)!r}, 'w')\n```"
    with serve(analyst=[code, "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        chat(runner, analyst)
    assert not target.exists()


def test_execute_function_itself_runs_for_nobody(make, bank, log):
    crib = make(base="p, *, acme, *, *, True, allow")
    runner = HumanProxyAgent("proxy", crib, [crib.principal("analyst", "alice")])
    call = {"name": "read_balance", "arguments": '{"account": "A"}'}
    ok, message = runner.execute_function(call)
    assert not ok
    assert message["content"].startswith("DENIED")
    assert asyncio.run(runner.a_execute_function(call))[0] is False
    assert bank.read == []
    assert [record["status"] for record in log()] == ["denied", "denied"]


def test_a_cancelled_async_chat_leaves_a_record_and_goes_away(make, serve, pair, log):
    started = threading.Event()

    @tool(effect="write")
    async def slow() -> str:
        """Never ends by itself."""
        started.set()
        await asyncio.Event().wait()
        return "never"

    crib = make(ROWS)
    crib.add(slow)

    async def cancelled():
        with serve(analyst=[[Call("slow", {}), Call("read_balance", {"account": "A"})]]) as model:
            analyst, runner = pair(crib, model, "analyst")
            chat = asyncio.create_task(runner.a_initiate_chat(analyst, message="go", silent=True))
            await asyncio.to_thread(started.wait)
            chat.cancel()
            with pytest.raises(asyncio.CancelledError):
                await chat

    asyncio.run(cancelled())
    (outcome,) = [record for record in log("outcome") if record["tool"] == "local.slow"]
    assert outcome["status"] == "ambiguous"


def test_an_interrupted_sync_chat_leaves_a_record(make, serve, pair, log):
    interrupted = threading.Event()

    @tool(effect="write")
    async def slow() -> str:
        """Interrupts the program, as Ctrl-C does."""
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            interrupted.set()
        return "never"

    crib = make(ROWS)
    crib.add(slow)
    with serve(analyst=[Call("slow", {})]) as model:
        analyst, runner = pair(crib, model, "analyst")
        with pytest.raises(KeyboardInterrupt):
            runner.initiate_chat(analyst, message="go", silent=True)
    assert interrupted.wait(30)
    crib.close()
    assert [record["status"] for record in log("outcome")] == ["ambiguous"]


def test_a_tool_that_raises_a_base_exception_does_not_end_the_chat(make, serve, pair, chat, answers):
    class Bad(BaseException):
        pass

    @tool(effect="read")
    def bad() -> str:
        """Raises what nobody catches."""
        raise Bad("secret words")

    crib = make(ROWS)
    crib.add(bad)
    with serve(analyst=[Call("bad", {}), "TERMINATE"]) as model:
        analyst, runner = pair(crib, model, "analyst")
        result = chat(runner, analyst)
    assert answers(result.chat_history)[0].startswith("FAILED")


def test_calls_without_ids_are_answered_without_ids(make, bank):
    """Mistral's models leave them out."""
    crib = make()
    analyst = autogen.ConversableAgent("analyst", llm_config=False)
    runner = HumanProxyAgent("proxy", crib, [crib.principal("analyst", "alice")])
    call = {"function": {"name": "read_balance", "arguments": '{"account": "A"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    reply = runner.generate_reply(messages=[message], sender=analyst)
    assert reply["tool_responses"] == [{"role": "tool", "content": "A holds 100"}]


def test_calls_of_nobody_are_refused(make, bank, log):
    """`generate_reply(messages)` without a sender: whatever name stands in the message is only text."""
    crib = make(base="p, *, acme, *, *, True, allow")
    runner = HumanProxyAgent("proxy", crib, [crib.principal("analyst", "alice")])
    call = {"id": "c1", "type": "function", "function": {"name": "read_balance", "arguments": "{}"}}
    message = {"role": "assistant", "name": "analyst", "content": None, "tool_calls": [call]}
    reply = runner.generate_reply(messages=[message])
    assert reply["content"].startswith("DENIED")
    assert [record["status"] for record in log()] == ["denied"]
