"""An approval and a redacted text are good for exactly what was seen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from toolcrib import CallContext, Preview, Toolkit, tool
from toolcrib.approvals import Answer
from toolcrib.errors import VendorRefused
from toolcrib.secrets import LocalProvider

ALLOW = "p, *, acme, local.*, *, True, allow"
PARK = '[approvals]\nmode = "park"\n'
SECRET = "correct-horse-battery"


async def test_a_yes_to_one_session_is_no_yes_to_another(make: Any) -> None:
    """The approver saw what that session has seen; another may hold what outsiders wrote."""
    ran: list[int] = []

    @tool(effect="write")
    async def act(n: int) -> str:
        """Act."""
        ran.append(n)
        return "ok"

    crib = make(ALLOW + "\np2, *, acme, local.*, *, True, user:boss", act, config=PARK)
    here, there = (crib.principal("a", "alice", session=name) for name in ("here", "there"))
    first = await crib.call("act", {"n": 1}, here, idempotency_key="k")
    await crib.answer(first.approval, Answer("approve", "boss", time.time()))
    other = await crib.call("act", {"n": 1}, there, idempotency_key="k")
    assert (other.status, ran) == ("pending", [])
    assert other.approval != first.approval
    await crib.answer(other.approval, Answer("approve", "boss", time.time()))
    assert (await crib.call("act", {"n": 1}, there, idempotency_key="k")).status == "done"


@pytest.mark.parametrize("kind", [RuntimeError, VendorRefused])
@pytest.mark.parametrize("shift", range(0, 30, 3))
async def test_a_secret_is_taken_out_before_a_text_is_cut(
    make: Any, tmp_path: Path, kind: type[Exception], shift: int
) -> None:
    class Accounts(Toolkit):
        @tool(effect="read")
        async def look(self, ctx: CallContext) -> None:
            """Look."""
            secret = await ctx.secret("key")
            raise kind("x" * (2000 - shift) + secret.reveal())

        @tool(effect="write", preview=Preview("look"))
        async def act(self) -> str:
            """Act."""
            return "ok"

    config = '[packs.local.secrets]\nkey = "plain/key"\n'
    rows = ALLOW + "\np, *, acme, secret:local.key, use, True, allow"
    crib = make(rows + "\np, *, acme, local.act, *, r.ctx.before.n == 1, deny", Accounts(), config=config)
    LocalProvider(tmp_path / ".toolcrib").put("plain/key", SECRET)
    me = crib.principal("a", "alice")
    assert SECRET[:4] not in (await crib.call("look", {}, me)).text
    assert (await crib.call("act", {}, me)).status == "denied"
    audit = b"".join(file.read_bytes() for file in (tmp_path / ".toolcrib" / "audit").rglob("*.jsonl"))
    assert SECRET[:4].encode() not in audit
