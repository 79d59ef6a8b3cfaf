"""Who may use which secret is policy too: no row, no secret, whatever else the call may do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolcrib import CallContext, Crib, Preview, Toolkit, ToolResult, tool
from toolcrib.approvals import Answer
from toolcrib.policy import Policy
from toolcrib.secrets import LocalProvider

CONFIG = """
[packs.local.secrets]
key = "plain/key"
mine = "plain/{user}"
"""
VALUE = "the-value-of-the-key"
CALLS = "p, *, acme, local.*, *, True, allow\n"
MAY = (
    "p, user:alice, acme, secret:local.key, use, True, allow\n"
    "p, agent:writer, acme, secret:local.*, use, True, allow\n"
)
STAFF = "p, staff, acme, secret:local.key, use, True, allow"


class Vendor(Toolkit):
    def __init__(self) -> None:
        self.acted = 0

    @tool(effect="read")
    async def look(self, ctx: CallContext, name: str = "key", amount: int = 1) -> int:
        """Look."""
        return len((await ctx.secret(name)).reveal())

    @tool(effect="write", preview=Preview("look"))
    async def act(self, ctx: CallContext) -> str:
        """Act."""
        await ctx.secret("key")
        self.acted += 1
        return "acted"

    @tool(effect="write")
    async def send(self, ctx: CallContext) -> str:
        """Send."""
        await ctx.secret("key")
        self.acted += 1
        return "sent"


@pytest.fixture
def ask(make: Any, tmp_path: Path) -> Callable[..., Any]:
    """Calls a tool under the given rows."""
    kits = []

    async def call(rows: str, name: str = "look", user: str | None = "alice", **arguments: Any) -> ToolResult:
        store = LocalProvider(tmp_path / ".toolcrib")
        store.put("plain/key", VALUE)
        kits.append(Vendor())
        crib: Crib = make(CALLS + rows, kits[-1], config=CONFIG)
        result = await crib.call(name, arguments, crib.principal("writer", user, session="s"))
        crib.remove(f"local.{name}")
        return result

    return call


@pytest.mark.parametrize(
    ("rows", "allowed"),
    [
        (MAY, True),
        ("", False),
        (MAY.splitlines()[0], False),  # the user's row alone
        (MAY.splitlines()[1], False),  # the agent's row alone
        ("p, *, acme, secret:local.key, use, True, allow", True),
        ("p, *, *, secret:local.*, *, True, allow", True),
        ("p, *, acme, *, use, True, allow", True),
        ("p, *, acme, *, *, True, allow", True),  # everything is everything
        ("p, *, other, secret:local.key, use, True, allow", False),
        ("p, *, acme, secret:local.other, use, True, allow", False),
        ("p, *, acme, secret:other.key, use, True, allow", False),
        ("p, *, acme, secret:local.key, read, True, allow", False),
        ("p, *, acme, *, read, True, allow", False),
        (MAY + "p, agent:writer, acme, secret:local.key, use, True, deny", False),
        (MAY + "p, user:alice, *, *, use, True, deny", False),
        (MAY + "p, user:bob, acme, secret:local.key, use, True, deny", True),
        (STAFF + "\ng, user:alice, staff, acme\ng, agent:writer, staff, acme", True),
        (STAFF + "\ng, user:alice, staff, acme", False),
    ],
)  # fmt: skip
async def test_rows_decide_for_user_and_agent(ask: Any, rows: str, allowed: bool) -> None:
    result = await ask(rows)
    assert result.status == ("done" if allowed else "unavailable"), result.text
    assert VALUE not in result.text


async def test_the_refusal_names_rule_and_remedy(ask: Any) -> None:
    lacking = await ask(MAY.splitlines()[1])
    assert "policy does not let agent:writer use secret:local.key for user:alice" in lacking.text
    assert "user:alice has no allow row" in lacking.text
    assert "p, user:alice, acme, secret:local.key, use, True, allow" in lacking.text


async def test_a_deny_row_is_named_by_its_place_and_not_by_its_condition(ask: Any) -> None:
    denied = await ask(MAY + "p, *, acme, secret:local.key, use, r.ctx.args.amount > 0, deny")
    assert "policy.csv:4" in denied.text
    assert "amount > 0" not in denied.text
    assert "toolcrib policy explain secret:local.key --user alice --agent writer" in denied.text


@pytest.mark.parametrize(
    ("condition", "arguments", "status"),
    [
        ("r.ctx.args.amount <= 5", {"amount": 5}, "done"),
        ("r.ctx.args.amount <= 5", {"amount": 6}, "unavailable"),
        ('r.ctx.tool.name == "local.look"', {}, "done"),
        ('r.ctx.tool.name == "local.send"', {}, "unavailable"),
        ('r.ctx.tool.effect == "read"', {}, "done"),
        ('r.ctx.user == "alice"', {}, "done"),
        ('r.ctx.session == "other"', {}, "unavailable"),
        ("r.ctx.args.missing == 1", {}, "unavailable"),  # it raises, so it denies
        ("r.ctx.before.n == 1", {}, "unavailable"),  # this tool has no preview
        ('not ("untrusted" in r.ctx.labels)', {}, "done"),
    ],
)
async def test_conditions_read_what_the_call_reads(
    ask: Any, condition: str, arguments: dict[str, Any], status: str
) -> None:
    result = await ask(f"p, *, acme, secret:local.key, use, {condition}, allow", **arguments)
    assert result.status == status, result.text


async def test_labels_of_the_session_count(ask: Any, make: Any, tmp_path: Path) -> None:
    class Mail(Toolkit):
        @tool(effect="read", labels={"untrusted"})
        async def mail(self) -> str:
            """Read mail."""
            return "hello"

    store = LocalProvider(tmp_path / ".toolcrib")
    store.put("plain/key", VALUE)
    rows = CALLS + 'p, *, acme, secret:local.key, use, not ("untrusted" in r.ctx.labels), allow'
    crib = make(rows, Mail(), Vendor(), config=CONFIG)
    me = crib.principal("writer", "alice", session="one")
    assert (await crib.call("look", {}, me)).status == "done"
    await crib.call("mail", {}, me)
    assert (await crib.call("look", {}, me)).status == "unavailable"
    other = crib.principal("writer", "alice", session="two")
    assert (await crib.call("look", {}, other)).status == "done"


async def test_a_write_that_gets_no_secret_did_nothing_and_says_so(ask: Any) -> None:
    result = await ask("", "send")
    assert (result.status, result.text.startswith("UNAVAILABLE")) == ("unavailable", True)


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ("p2, *, acme, secret:local.key, use, True, lead", "unavailable"),
        ("p2, *, acme, secret:local.*, *, True, lead", "unavailable"),
        ("p2, *, acme, *, use, True, lead", "unavailable"),
        ("p3, *, acme, secret:local.key, 5/day per user", "unavailable"),
        ("p3, *, acme, *, 5/day per user", "done"),  # the call itself was counted under it
        ("p3, *, acme, local.*, 5/day per user", "done"),
        ("p2, *, other, secret:local.key, use, True, lead", "done"),
    ],
)
async def test_a_review_or_quota_of_the_secret_alone_denies(ask: Any, row: str, status: str) -> None:
    result = await ask(MAY + row)
    assert result.status == status, result.text
    assert status == "done" or "Write the row for the tools" in result.text


async def test_a_review_of_everything_counts_once_it_was_held_for_the_call(make: Any, tmp_path: Path) -> None:
    LocalProvider(tmp_path / ".toolcrib").put("plain/key", VALUE)
    rows = CALLS + MAY + "p2, *, acme, *, *, True, lead\ng, user:dana, lead, acme"
    crib = make(rows, kit := Vendor(), config=CONFIG + '[approvals]\nmode = "park"\n')
    me = crib.principal("writer", "alice")
    parked = await crib.call("send", {}, me, idempotency_key="k")
    assert (parked.status, kit.acted) == ("pending", 0)
    await crib.answer(parked.approval, Answer("approve", "dana", 1.0))
    assert (await crib.call("send", {}, me, idempotency_key="k")).status == "done"


# --- on record


async def test_uses_are_on_record_by_path_and_version_and_refusals_by_name(ask: Any, log: Any) -> None:
    await ask(MAY)
    used = log("outcome")[-1]
    assert used["secrets"] == [{"path": "plain/key", "version": 1}]
    assert "secrets_refused" not in used


async def test_a_refused_use_is_on_record_by_name(ask: Any, log: Any) -> None:
    await ask("")
    refused = log("outcome")[-1]
    assert "secrets" not in refused
    (one,) = refused["secrets_refused"]
    assert one["name"] == "local.key"
    assert "has no allow row" in one["why"]


async def test_another_packs_secret_is_no_name_of_this_one(make: Any, tmp_path: Path, log: Any) -> None:
    config = '[packs.crm.secrets]\nsalesforce = "crm/key"\n'
    LocalProvider(tmp_path / ".toolcrib").put("crm/key", VALUE)
    crib = make("p, *, acme, *, *, True, allow", Vendor(), config=config)
    for name in ("salesforce", "crm.salesforce", "crm/key", "secret:crm.salesforce"):
        result = await crib.call("look", {"name": name}, crib.principal("writer", "alice"))
        assert (result.status, "has no secret" in result.text) == ("unavailable", True)
        assert log("outcome")[-1]["secrets_refused"][0]["name"] == f"local.{name}"


async def test_a_previews_secret_is_decided_and_recorded_as_its_own(
    make: Any, tmp_path: Path, log: Any
) -> None:
    LocalProvider(tmp_path / ".toolcrib").put("plain/key", VALUE)
    look = "\np, *, acme, local.act, write, has(r.ctx, 'before.value'), deny"
    only = CALLS + 'p, *, acme, secret:local.key, use, r.ctx.tool.name == "{}", allow' + look
    crib = make(only.format("local.act"), Vendor(), config=CONFIG)
    denied = await crib.call("act", {}, crib.principal("writer", "alice"))
    assert denied.status == "denied"  # the preview could not look
    (outcome,) = [one for one in log("outcome") if one.get("preview_of")]
    assert outcome["secrets_refused"][0]["name"] == "local.key"


# --- which policy


async def test_the_policy_of_the_call_decides_also_if_it_changes_meanwhile(make: Any, tmp_path: Path) -> None:
    LocalProvider(tmp_path / ".toolcrib").put("plain/key", VALUE)
    inside, on = asyncio.Event(), asyncio.Event()

    class Slow(Toolkit):
        @tool(effect="read")
        async def slow(self, ctx: CallContext) -> str:
            """Wait, then use."""
            inside.set()
            await on.wait()
            return (await ctx.secret("key")).path

    crib = make(CALLS + MAY, Slow(), config=CONFIG)
    running = asyncio.create_task(crib.call("slow", {}, crib.principal("writer", "alice")))
    await inside.wait()
    (tmp_path / "policies" / "policy.csv").write_text(CALLS)
    assert isinstance(crib.reload(), Policy)
    on.set()
    assert (await running).status == "done"
    again = await crib.call("slow", {}, crib.principal("writer", "alice"))
    assert again.status == "unavailable"


async def test_freezing_everything_stops_secrets_of_calls_that_follow(ask: Any) -> None:
    assert (await ask(MAY + "p, *, *, *, *, True, deny")).status == "denied"


async def test_a_user_less_call_is_checked_like_any_other(ask: Any) -> None:
    assert (await ask(MAY, user=None)).status == "unavailable"
    assert (
        await ask(MAY + "p, user:none, acme, secret:local.key, use, True, allow", user=None)
    ).status == "done"
