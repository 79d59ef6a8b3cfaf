"""Calls of sandboxed tools: limits reach policy, notes reach the log, artifacts stay in their tenant."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from toolcrib import CallContext, tool
from toolcrib.errors import SandboxError, Temporary
from toolcrib.executor._notes import MOST_NOTES, take_note
from toolcrib.sandboxed import Sandboxed
from toolcrib.secrets import Secret

READ = "p, *, acme, local.*, read, True, allow"


@tool(effect="read", sandbox=Sandboxed(memory="memory"))
def run(ctx: CallContext, memory: int = 256, note: str = "") -> str:
    """Run code."""
    ctx.note("sandbox", {"image": "sha256:1", "said": note})
    return "ran"


def call(crib: Any, name: str = "local.run", tenant: str = "acme", **arguments: Any) -> Any:
    principal = crib.principal("coder", "alice")
    return crib.call_sync(name, arguments, principal)


def test_a_call_within_the_defaults_runs(make: Any) -> None:
    assert call(make(READ, run)).status == "done"


def test_one_beyond_them_is_denied_and_told_what_is_usual(make: Any, log: Any) -> None:
    result = call(make(READ, run), memory=1024)
    assert result.status == "denied" and "memory 256" in result.text
    (record,) = log()
    assert record["kind"] == "refusal" and record["status"] == "denied"


def test_a_row_that_speaks_of_memory_grants_it(make: Any, log: Any) -> None:
    crib = make(f"{READ}\np, *, acme, local.run, read, r.ctx.sandbox.memory <= 1024, allow", run)
    assert call(crib, memory=1024).status == "done"
    assert call(crib, memory=1025).status == "denied"
    assert log("intent")[0]["inputs"] == {"sandbox.memory": 1024}


def test_notes_stand_on_the_outcome_and_not_in_the_result(make: Any, log: Any) -> None:
    result = call(make(READ, run))
    assert log("outcome")[0]["notes"] == {"sandbox": {"image": "sha256:1", "said": ""}}
    assert "sha256" not in result.text


def test_a_secret_in_a_note_is_cut_out(make: Any, log: Any) -> None:
    crib = make(READ, run)
    crib.broker.redactor.learn(Secret("hunter2-hunter2", path="crm/token", version="1"))
    call(crib, note="the token is hunter2-hunter2")
    assert "hunter2" not in str(log("outcome")) and "[secret:" in str(log("outcome"))


def test_notes_of_a_call_that_fails_are_kept(make: Any, log: Any) -> None:
    @tool(effect="read")
    def fails(ctx: CallContext) -> None:
        """Fail."""
        ctx.note("reached", ["a:1"])
        raise SandboxError("gone", rule="r", remedy="x")

    assert call(make(READ, fails), "local.fails").status == "failed"
    assert log("outcome")[0]["notes"] == {"reached": ["a:1"]}


def test_notes_of_a_call_that_is_cancelled_are_kept(make: Any, log: Any) -> None:
    noted = asyncio.Event()

    @tool(effect="read")
    async def hangs(ctx: CallContext) -> None:
        """Hang."""
        ctx.note("reached", ["a:1"])
        noted.set()
        await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.create_task(crib.call("local.hangs", {}, crib.principal("coder", "alice")))
        await noted.wait()
        task.cancel()
        await asyncio.wait([task])

    crib = make(READ, hangs)
    asyncio.run(cancel())
    assert log("outcome")[0]["status"] == "cancelled"
    assert log("outcome")[0]["notes"] == {"reached": ["a:1"]}


def test_a_retry_replaces_the_note_of_the_try_before(make: Any, log: Any) -> None:
    tries: list[int] = []

    @tool(effect="read")
    def flaky(ctx: CallContext) -> str:
        """Work the second time."""
        tries.append(1)
        ctx.note("try", len(tries))
        if len(tries) == 1:
            raise Temporary("not now", retry_after=0.0)
        return "done"

    assert call(make(READ, flaky), "local.flaky").status == "done"
    assert log("outcome")[0]["notes"] == {"try": 2}


@pytest.mark.parametrize("fact", [object(), float, {1, 2}])
def test_what_is_no_json_is_noted_by_its_kind(fact: Any) -> None:
    notes: dict[str, Any] = {}
    take_note(notes, "x", fact)
    assert notes == {"x": {"unwritable": type(fact).__name__}}


def test_notes_are_bounded_together() -> None:
    notes: dict[str, Any] = {}
    take_note(notes, "a", "x" * (MOST_NOTES // 2))
    take_note(notes, "b", "y" * (MOST_NOTES // 2))
    assert notes["a"].startswith("x") and set(notes["b"]) == {"sha256", "bytes"}
    take_note(notes, "a" * 100, "\ud800")
    assert len(str(notes)) < MOST_NOTES


def test_a_tool_keeps_artifacts_and_only_its_tenant_reads_them(make: Any) -> None:
    @tool(effect="read")
    def keep(ctx: CallContext) -> str:
        """Keep."""
        return ctx.artifacts.keep("plot.svg", b"<svg/>").digest

    @tool(effect="read")
    def take(digest: str, ctx: CallContext) -> str:
        """Take."""
        return ctx.artifacts.read(digest).decode()

    crib = make("p, *, *, local.*, read, True, allow", keep, take)
    digest = call(crib, "local.keep").value
    assert call(crib, "local.take", digest=digest).value == "<svg/>"
    from dataclasses import replace

    other = replace(crib.principal("coder", "alice"), tenant="globex")
    refused = crib.call_sync("local.take", {"digest": digest}, other)
    assert refused.status == "failed" and "there is no artifact" in refused.text
