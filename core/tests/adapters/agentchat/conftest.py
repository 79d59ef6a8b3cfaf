"""What most of these tests need: a crib with a few tools, and real clients of a scripted model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from autogen_ext.models.openai import OpenAIChatCompletionClient

from toolcrib import CallContext, Crib, Sensitive, Target, tool
from toolcrib.audit import read, verify
from toolcrib.testing import ScriptedModel
from toolcrib.testing.cribs import make_crib

INFO: Any = {
    "vision": False,
    "function_calling": True,
    "json_output": True,
    "family": "unknown",
    "structured_output": True,
}

ROWS = """
    p, analyst, acme, local.lookup, read, True, allow
    p, operator, acme, local.lookup, read, True, allow
    p, operator, acme, local.pay, write, True, allow
    p, operator, acme, local.note, write, True, allow
    p, operator, acme, local.wire, send, True, allow
    p, user:alice, acme, *, *, True, allow
    p, user:bob, acme, *, read, True, allow
    p2, operator, acme, local.pay, write, True, boss
    p2, operator, acme, local.wire, send, True, boss
    g, agent:analyst, analyst, acme
    g, agent:operator, operator, acme
    g, user:carol, boss, acme
"""

Clients = Callable[..., OpenAIChatCompletionClient]


class World:
    """The tools' own world, so that a test sees what happened there."""

    def __init__(self) -> None:
        self.did: list[tuple[Any, ...]] = []

    def tools(self) -> list[Callable[..., Any]]:
        did = self.did

        @tool(effect="read")
        async def lookup(account: str, ctx: CallContext) -> str:
            """Balance of an account."""
            ctx.progress("looking", 0.5)
            did.append(("lookup", account, ctx.principal.user))
            return f"{account} has 100"

        @tool(effect="write")
        async def pay(account: Annotated[str, Target], amount: int) -> str:
            """Pay an amount to an account."""
            did.append(("pay", account, amount))
            return f"paid {amount} to {account}"

        @tool(effect="write")
        async def note(text: str) -> str:
            """Write a note."""
            did.append(("note", text))
            return "noted"

        @tool(effect="send")
        async def wire(iban: Annotated[str, Sensitive], amount: int) -> str:
            """Wire an amount."""
            did.append(("wire", iban, amount))
            return f"wired {amount}"

        return [lookup, pay, note, wire]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def crib_of(tmp_path: Path, world: World) -> Iterator[Callable[..., Crib]]:
    """Makes the crib of this test; keyword arguments are those of `make_crib`, `mode` that of approvals."""
    made: list[Crib] = []

    def make(rows: str = ROWS, *, mode: str = "park", folder: str = "crib", **options: Any) -> Crib:
        config = f'[approvals]\nmode = "{mode}"\n[audit]\ndurability = "written"\n' + options.pop(
            "config", ""
        )
        crib = make_crib(tmp_path / folder, rows, config=config, **options)
        crib.add(*world.tools())
        made.append(crib)
        return crib

    yield make
    for crib in made:
        crib.close()


@pytest.fixture
def model() -> Iterator[Callable[..., Clients]]:
    """Starts a scripted model (`scripts` by name); gives a function from model name to client.

    Its `.server` is the model.
    """
    servers: list[ScriptedModel] = []

    def start(**scripts: Any) -> Clients:
        server = ScriptedModel(scripts).start()
        servers.append(server)

        def client(name: str, **options: Any) -> OpenAIChatCompletionClient:
            return OpenAIChatCompletionClient(
                model=name,
                base_url=server.base_url,
                api_key="test",
                model_info=INFO,
                max_retries=0,
                **options,
            )

        client.server = server  # type: ignore[attr-defined]
        return client

    yield start
    for server in servers:
        server.stop()


def audited(crib: Crib) -> list[dict[str, Any]]:
    """The call records on the crib's audit log, in order; the log must verify."""
    folder = crib.config.state / "audit"
    assert verify(folder).problem is None
    return [record for record in read(folder) if record["kind"] in ("refusal", "intent", "outcome", "recall")]


@pytest.fixture(name="audited")
def _audited() -> Callable[[Crib], list[dict[str, Any]]]:
    return audited
