"""The crib as builders meet it: tools for a principal, added, removed, adopted."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated, Any

import pytest
from autogen_core.tools import FunctionTool

from toolcrib import Crib, Sensitive, Toolkit, tool
from toolcrib.approvals import Answer
from toolcrib.errors import CallRefused, ConfigError, PackError, PolicyError
from toolcrib.testing.cribs import make_crib

ROWS = """
p, *, acme, local.*, read, True, allow
p, agent:operator, acme, local.*, *, True, allow
p, user:alice, acme, local.*, *, True, allow
p, *, acme, local.secret_thing, read, True, deny
"""


@tool(effect="read")
async def look(x: int) -> int:
    """Look."""
    return x


@tool(effect="write")
async def change(x: int) -> int:
    """Change."""
    return x


@tool(effect="read")
async def secret_thing(x: int) -> int:
    """Secret."""
    return x


def names(crib: Crib, agent: str, user: str | None) -> list[str]:
    return [offered.name for offered in crib.tools_for(crib.principal(agent, user))]


def test_a_principal_is_offered_only_what_it_could_be_allowed(tmp_path: Path) -> None:
    with make_crib(tmp_path, ROWS) as crib:
        crib.add(look, change, secret_thing)
        assert names(crib, "operator", "alice") == ["local.change", "local.look"]
        assert names(crib, "analyst", "alice") == ["local.look"]
        assert names(crib, "operator", "bob") == ["local.look"]
        assert names(crib, "operator", None) == ["local.look"]


def test_the_offer_follows_registry_and_policy(tmp_path: Path) -> None:
    with make_crib(tmp_path, ROWS) as crib:
        crib.add(look)
        assert names(crib, "operator", "alice") == ["local.look"]
        crib.add(change)
        assert names(crib, "operator", "alice") == ["local.change", "local.look"]
        crib.remove("look")
        assert names(crib, "operator", "alice") == ["local.change"]
        (tmp_path / "policies" / "policy.csv").write_text("p, *, acme, local.none, read, True, allow\n")
        crib.reload()
        assert names(crib, "operator", "alice") == []


async def test_a_removed_tool_is_unknown(tmp_path: Path) -> None:
    with make_crib(tmp_path, ROWS) as crib:
        crib.add(look)
        me = crib.principal("a", "alice")
        assert (await crib.call("look", {"x": 1}, me)).status == "done"
        crib.remove("look")
        assert (await crib.call("look", {"x": 1}, me)).status == "unknown"


def test_add_is_all_or_nothing(tmp_path: Path) -> None:
    with make_crib(tmp_path, ROWS) as crib:
        crib.add(look)
        with pytest.raises(PackError):
            crib.add(change, look)
        assert names(crib, "operator", "alice") == ["local.look"]


async def test_adopting_what_a_builder_already_has(tmp_path: Path) -> None:
    def weather(city: str) -> str:
        """Weather of a city."""
        return f"sun in {city}"

    async def double(n: int) -> int:
        """Twice."""
        return 2 * n

    class McpTool:
        name, description = "convert", "Convert units."
        inputSchema = {"type": "object", "properties": {"v": {"type": "number"}}, "required": ["v"]}  # noqa: RUF012
        annotations = {"readOnlyHint": True}  # noqa: RUF012

    class Reply:
        content, structuredContent, isError = (), {"v": 2.5}, False

    async def call_tool(name: str, arguments: dict[str, Any]) -> Reply:
        assert (name, arguments) == ("convert", {"v": 1})
        return Reply()

    async def shout(text: str) -> str:
        return text.upper()

    with make_crib(tmp_path, ROWS) as crib:
        crib.adopt(weather, effect="read")
        crib.adopt(double, effect="read", name="twice")
        crib.adopt(FunctionTool(shout, description="Shout."), effect="read")
        crib.adopt(McpTool(), effect="read", call=call_tool)
        me = crib.principal("a", "alice")
        assert (await crib.call("weather", {"city": "Bern"}, me)).text == "sun in Bern"
        assert (await crib.call("twice", {"n": 2}, me)).value == 4
        assert (await crib.call("shout", {"text": "hey"}, me)).text == "HEY"
        assert (await crib.call("convert", {"v": 1}, me)).value == {"v": 2.5}
        assert (await crib.call("convert", {"v": "x"}, me)).status == "invalid"
        assert not hasattr(weather, "__toolcrib__")


def test_adopting_without_an_effect_or_a_way_to_call_is_refused(tmp_path: Path) -> None:
    class McpTool:
        name, description, inputSchema = "m", "M.", {"type": "object"}

    with make_crib(tmp_path, ROWS) as crib:
        with pytest.raises(PackError, match="effect"):
            crib.adopt(lambda: None)
        with pytest.raises(PackError, match=r"session\.call_tool"):
            crib.adopt(McpTool(), effect="read")
        with pytest.raises(PackError, match="cannot be adopted"):
            crib.adopt(5, effect="read")


async def test_the_hints_of_an_mcp_server_are_claims_not_facts(tmp_path: Path) -> None:
    class McpTool:
        name, description, inputSchema = "wipe", "Wipe.", {"type": "object"}
        annotations = {"readOnlyHint": True, "idempotentHint": True}  # noqa: RUF012

    async def call(name: str, arguments: Any) -> Any:
        raise AssertionError

    with make_crib(tmp_path, ROWS) as crib:
        with pytest.raises(PackError, match=r"'wipe' has no effect \(its server claims read\)"):
            crib.adopt(McpTool(), call=call)
        adopted = crib.adopt(McpTool(), effect="destructive", call=call)
        assert (adopted.effect, adopted.idempotent) == ("destructive", False)


async def test_toolkits_are_closed_once(tmp_path: Path) -> None:
    closed: list[str] = []

    class Kit(Toolkit):
        @tool(effect="read")
        async def ping(self) -> str:
            """Ping."""
            return "pong"

        async def close(self) -> None:
            closed.append("closed")

    crib = make_crib(tmp_path, ROWS)
    crib.add(Kit())
    assert (await crib.call("ping", {}, crib.principal("a"))).value == "pong"
    crib.close()
    crib.close()
    assert closed == ["closed"]


def test_errors_of_the_crib_itself_are_raised_where_they_are_met(tmp_path: Path) -> None:
    with make_crib(tmp_path, "p, nonsense") as crib, pytest.raises(PolicyError):
        crib.policy()
    wrong = make_crib(tmp_path, ROWS, config='[secrets]\nprovider = "vautl"\n')
    with wrong, pytest.raises(ConfigError, match="no such provider"):
        _ = wrong.secret_provider


async def test_resume_of_a_call_with_sensitive_arguments_is_refused(tmp_path: Path) -> None:
    @tool(effect="write")
    async def pay(iban: Annotated[str, Sensitive]) -> str:
        """Pay."""
        return "paid"

    rows = "p, *, acme, local.*, *, True, allow\np2, *, acme, local.pay, write, True, requester"
    with make_crib(tmp_path, rows, config='[approvals]\nmode = "park"\n') as crib:
        crib.add(pay)
        me = crib.principal("a", "alice")
        parked = await crib.call("pay", {"iban": "DE1"}, me, idempotency_key="k")
        assert parked.approval
        await crib.answer(parked.approval, Answer("approve", "alice", 1.0))
        with pytest.raises(CallRefused, match="sensitive arguments"):
            await crib.resume(parked.approval)
        assert (await crib.call("pay", {"iban": "DE1"}, me, idempotency_key="k")).status == "done"


def test_a_crib_may_be_opened_by_many_threads_at_once(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with make_crib(tmp_path, ROWS) as crib:
        crib.add(look)
        me = crib.principal("a", "alice")
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda n: crib.call_sync("look", {"x": n}, me).value, range(16)))
        assert results == list(range(16))


def test_an_interrupted_sync_call_is_cancelled(tmp_path: Path) -> None:
    cancelled: list[bool] = []

    @tool(effect="read")
    async def interrupt() -> None:
        """Interrupts its caller."""
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    with make_crib(tmp_path, ROWS) as crib:
        crib.add(interrupt)
        with pytest.raises(KeyboardInterrupt):
            crib.call_sync("interrupt", {}, crib.principal("a", "alice"))
    assert cancelled == [True]
