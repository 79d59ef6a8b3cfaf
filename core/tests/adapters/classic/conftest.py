from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("autogen")

from autogen import AssistantAgent

from toolcrib import CallContext, Crib, Preview, Toolkit, tool
from toolcrib.adapters.classic import HumanProxyAgent, needs_human, offer
from toolcrib.audit import read, verify
from toolcrib.testing import ScriptedModel
from toolcrib.testing.cribs import make_crib

ROWS = """
    p, user:alice, acme, local.*, *, True, allow
    p, agent:analyst, acme, local.read_balance, read, True, allow
    p, agent:operator, acme, local.*, *, True, allow
"""
REVIEW = "p2, agent:operator, acme, local.transfer, write, True, user:boss"


class Bank(Toolkit):
    """Remembers what was done, and for whom."""

    def __init__(self) -> None:
        self.moved: list[tuple[str, str, int]] = []
        self.read: list[tuple[str, str | None, str]] = []

    @tool(effect="read")
    async def read_balance(self, account: str, ctx: CallContext) -> str:
        """The balance of an account.

        Args:
            account: Its letter.
        """
        self.read.append((ctx.principal.agent, ctx.principal.user, account))
        return f"{account} holds 100"

    @tool(effect="write", preview=Preview("look_up", account="account"))
    def transfer(self, account: str, amount: int, ctx: CallContext) -> str:
        """Move money to an account."""
        self.moved.append((ctx.principal.agent, account, amount))
        return f"moved {amount} to {account}"

    @tool(effect="read")
    def look_up(self, account: str) -> dict[str, Any]:
        """An account as it stands."""
        return {"account": account, "amount": 100}


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def make(tmp_path: Path, bank: Bank) -> Iterator[Callable[..., Crib]]:
    """Makes a crib that has the bank; `rows` are added to the usual ones."""
    with contextlib.ExitStack() as cribs:

        def build(rows: str = "", *, base: str = ROWS, **options: Any) -> Crib:
            crib = cribs.enter_context(make_crib(tmp_path, f"{base}\n{rows}", **options))
            crib.add(bank)
            return crib

        yield build


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """The records of calls so far, oldest first; the log must verify."""

    def records(*kinds: str) -> list[dict[str, Any]]:
        folder = tmp_path / ".toolcrib" / "audit"
        assert verify(folder).problem is None
        wanted = kinds or ("refusal", "intent", "outcome", "recall")
        return [record for record in read(folder) if record["kind"] in wanted]

    return records


@pytest.fixture
def serve() -> Callable[..., ScriptedModel]:
    """A model with scripts by agent name, to be entered."""
    return lambda **scripts: ScriptedModel(scripts)


def done(message: dict[str, Any]) -> bool:
    return needs_human(message) or "TERMINATE" in str(message.get("content") or "")


@pytest.fixture
def agent() -> Callable[..., Any]:
    """Makes an assistant whose model is its name; it stops for humans and at TERMINATE."""

    def make_agent(model: ScriptedModel, name: str, cls: Any = AssistantAgent, **options: Any) -> Any:
        stream = options.pop("stream", False)
        entry = {"model": name, "base_url": model.base_url, "api_key": "k", "stream": stream}
        options.setdefault("is_termination_msg", done)
        return cls(name, llm_config={"config_list": [entry], "cache_seed": None}, **options)

    return make_agent


@pytest.fixture
def proxy() -> Callable[..., HumanProxyAgent]:
    """Makes a proxy that stops at TERMINATE."""

    def make_proxy(crib: Crib, principals: Any, name: str = "proxy", **options: Any) -> HumanProxyAgent:
        options.setdefault("is_termination_msg", done)
        return HumanProxyAgent(name, crib, principals, **options)

    return make_proxy


@pytest.fixture
def pair(agent: Callable[..., Any], proxy: Callable[..., HumanProxyAgent]) -> Callable[..., Any]:
    """An agent of alice with its offer, and the proxy that runs what it asks for."""

    def make_pair(crib: Crib, model: ScriptedModel, name: str, **options: Any) -> tuple[Any, HumanProxyAgent]:
        principal = crib.principal(name, user="alice", run="r1")
        mine = {
            key: options.pop(key) for key in ("channel", "parallel", "human_input_mode") if key in options
        }
        asker = agent(model, name, **options)
        offer(crib, asker, principal)
        return asker, proxy(crib, [principal], **mine)

    return make_pair


@pytest.fixture(params=["sync", "async"])
def chat(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Starts a chat, in both ways that classic has; silent."""

    def start(sender: Any, recipient: Any, message: Any = "go", **options: Any) -> Any:
        options = {"silent": True, "message": message, **options}
        if request.param == "sync":
            return sender.initiate_chat(recipient, **options)
        return asyncio.run(sender.a_initiate_chat(recipient, **options))

    return start


@pytest.fixture
def answers() -> Callable[[Any], list[str]]:
    """The texts of a chat's tool and function messages."""

    def texts(messages: Any) -> list[str]:
        found: list[str] = []
        for message in messages:
            if message.get("role") == "tool":
                found += [response["content"] for response in message["tool_responses"]]
            elif message.get("role") == "function":
                found.append(message["content"])
        return found

    return texts
