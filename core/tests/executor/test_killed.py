"""kill -9 at each of the eleven steps: nothing written twice, nothing lost, and the doctor explains."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from toolcrib import CallContext, Crib, Preview, Toolkit, tool
from toolcrib.approvals import Answer
from toolcrib.audit import read, verify
from toolcrib.cli._desk import Desk
from toolcrib.cli.doctor import examine
from toolcrib.secrets import LocalProvider
from toolcrib.testing.cribs import write_crib

ROWS = """
p, *, acme, local.*, *, True, allow
p, *, acme, secret:local.carrier, use, True, allow
p, *, acme, local.ship, write, r.ctx.before.state == 'shipped', deny
p2, *, acme, local.ship, write, True, lead
p3, *, acme, local.ship, 5/hour per user
g, user:dana, lead, acme
"""
CONFIG = '[packs.local.secrets]\ncarrier = "carrier/{tenant}"\n'
CALL = {"parcel": "p1"}


class Yes:
    """Says yes to everything."""

    async def ask(self, review: Any) -> Answer:
        """Yes."""
        return Answer("approve", "dana", 1.0)


class Parcels(Toolkit):
    def __init__(self, world: Path, die: Any = None) -> None:
        self.world, self.die = world, die

    @tool(effect="read")
    async def get_parcel(self, parcel: str) -> dict[str, str]:
        """One parcel."""
        return {"parcel": parcel, "state": "new"}

    @tool(effect="write", preview=Preview("get_parcel", parcel="parcel"))
    async def ship(self, parcel: str, ctx: CallContext) -> str:
        """Ship a parcel."""
        secret = await ctx.secret("carrier")
        if self.die:
            self.die("10 run: before the effect")
        with self.world.open("a") as file:
            file.write(f"{parcel} {len(secret.reveal())}\n")
        if self.die:
            self.die("10 run: after the effect")
        return "shipped"


# Where to die -> what the same call, asked again by a new process, must come to.
STEPS = {
    "1 find": "done",
    "2 validate": "done",
    "3 decide": "done",
    "4 preview": "done",
    "5 recall": "done",
    "6 limit": "done",
    "7 review": "done",
    "8 commit: before": "done",
    "8 commit: ledger written, no intent": "ambiguous",
    "8 commit: after": "ambiguous",
    "9 secrets": "ambiguous",
    "10 run: before the effect": "ambiguous",
    "10 run: after the effect": "ambiguous",
    "11 settle: before": "ambiguous",
    "11 settle: outcome signed, ledger not settled": "ambiguous",
    "11 settle: after": "done",
}

CHILD = """
import asyncio, os, signal, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from test_killed import Parcels, Yes, CALL
from toolcrib import Crib

folder, where = Path(sys.argv[1]), sys.argv[2]

def die(step):
    if step == where:
        os.kill(os.getpid(), signal.SIGKILL)

def dying(owner, name, before=None, after=None):
    plain = getattr(owner, name)
    if asyncio.iscoroutinefunction(plain):
        async def wrapped(*args, **kwargs):
            die(before)
            result = await plain(*args, **kwargs)
            die(after)
            return result
    else:
        def wrapped(*args, **kwargs):
            die(before)
            result = plain(*args, **kwargs)
            die(after)
            return result
    setattr(owner, name, wrapped)

crib = Crib.from_config(folder / "toolcrib.toml", channels=[Yes()])
crib.add(Parcels(folder / "world", die))
executor = crib.executor
dying(executor, "_find", after="1 find")
dying(executor, "_validate", after="2 validate")
dying(executor, "_decide", after="3 decide")
dying(executor, "_preview", after="4 preview")
dying(executor._recaller, "recall", after="5 recall")
dying(executor, "_limit", after="6 limit")
dying(executor, "_review", after="7 review")
dying(executor, "_commit", before="8 commit: before", after="8 commit: after")
dying(executor, "_intend", before="8 commit: ledger written, no intent")
dying(crib.broker.cache, "get", after="9 secrets")
dying(executor._settler, "settle", before="11 settle: before", after="11 settle: after")
dying(executor._settler, "_settle_ledger", before="11 settle: outcome signed, ledger not settled")
me = crib.principal("clerk", "alice")
asyncio.run(crib.call("ship", CALL, me, idempotency_key="k"))
"""


@pytest.mark.parametrize("where", STEPS)
async def test_killed_at(tmp_path: Path, where: str) -> None:
    write_crib(tmp_path, ROWS, config=CONFIG)
    LocalProvider(tmp_path / ".toolcrib").put("carrier/acme", "s3cret-token")
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(here=str(Path(__file__).parent)), str(tmp_path), where],
        capture_output=True,
        text=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    world = tmp_path / "world"
    shipped = world.read_text().count("\n") if world.exists() else 0
    records = (
        list(read(tmp_path / ".toolcrib" / "audit")) if (tmp_path / ".toolcrib" / "audit").exists() else []
    )
    signed = [r for r in records if r["kind"] == "intent" and r["tool"] == "local.ship"]
    assert shipped <= len(signed), "something ran without an intent on the log"

    with Crib.from_config(tmp_path / "toolcrib.toml", channels=[Yes()]) as crib:
        crib.add(Parcels(world))
        findings = examine(Desk(tmp_path / "toolcrib.toml"))
        assert [finding for finding in findings if finding.level == "bad"] == []
        result = await crib.call("ship", CALL, crib.principal("clerk", "alice"), idempotency_key="k")
        assert result.status == STEPS[where]
        again = await crib.call("ship", CALL, crib.principal("clerk", "alice"), idempotency_key="k")
        assert again.status == STEPS[where]
        if STEPS[where] == "ambiguous":
            assert any("may or may not have happened" in finding.text for finding in findings)
            assert world.read_text().count("\n") == shipped if world.exists() else shipped == 0
        else:
            assert world.read_text().count("\n") == 1
    verification = verify(tmp_path / ".toolcrib" / "audit")
    assert verification.problem is None
    after = list(read(tmp_path / ".toolcrib" / "audit"))
    assert [r["hash"] for r in after[: len(records)]] == [r["hash"] for r in records], (
        "something written was lost"
    )
