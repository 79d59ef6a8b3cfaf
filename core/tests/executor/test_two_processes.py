"""Two processes on one state folder: calling, approving and reloading at once simply works."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from toolcrib import Crib, tool
from toolcrib.audit import read, verify
from toolcrib.errors import PolicyError
from toolcrib.os_user import system_user
from toolcrib.testing.cribs import write_crib

ROWS = """
p, *, acme, local.*, *, True, allow
p2, *, acme, local.order, write, True, lead
p3, *, acme, local.count, 30/hour per tenant
g, user:dana, lead, acme
"""

CALLER = """
import asyncio, sys
from pathlib import Path
from toolcrib import Crib, tool
from toolcrib.os_user import system_user

@tool(effect="write")
async def count(n: int) -> int:
    "Count."
    return n

crib = Crib.from_config(Path(sys.argv[1]) / "toolcrib.toml")
crib.add(count)

async def main():
    me = crib.principal(sys.argv[2], "alice")
    results = await asyncio.gather(*(crib.call("count", {"n": n}, me) for n in range(20)))
    statuses = [result.status for result in results]
    print(statuses.count("done"), statuses.count("limited"))

asyncio.run(main())
crib.close()
"""


def test_two_callers_share_quota_ledger_and_log(tmp_path: Path) -> None:
    write_crib(tmp_path, ROWS)
    callers = [
        subprocess.Popen(
            [sys.executable, "-c", CALLER, str(tmp_path), name], stdout=subprocess.PIPE, text=True
        )
        for name in ("one", "two")
    ]
    counts = [tuple(map(int, caller.communicate()[0].split())) for caller in callers]
    assert [caller.returncode for caller in callers] == [0, 0]
    assert sum(done for done, _ in counts) == 30
    assert sum(limited for _, limited in counts) == 10
    folder = tmp_path / ".toolcrib" / "audit"
    assert verify(folder).problem is None
    kinds = [record["kind"] for record in read(folder)]
    assert (kinds.count("intent"), kinds.count("outcome"), kinds.count("refusal")) == (30, 30, 10)


@tool(effect="write")
async def order(item: str) -> str:
    """Order."""
    return f"ordered {item}"


async def test_a_second_process_approves_what_the_first_waits_for(tmp_path: Path) -> None:
    users = f'[approvals.users]\n{system_user()} = "dana"\n'
    file = write_crib(tmp_path, ROWS, config=users)
    with Crib.from_config(file) as crib:
        crib.add(order)
        waits: asyncio.Queue[Any] = asyncio.Queue()
        call = asyncio.ensure_future(
            crib.call("order", {"item": "bolt"}, crib.principal("a", "alice"), watch=waits.put_nowait)
        )
        approval = await waits.get()
        cli = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "toolcrib", "-c", str(file), "approvals", "approve", approval.id,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await cli.communicate()
        assert cli.returncode == 0, output.decode()
        result = await call
        assert (result.status, result.value) == ("done", "ordered bolt")
    assert verify(tmp_path / ".toolcrib" / "audit").problem is None


async def test_a_policy_that_another_process_changes_is_in_force_for_the_next_call(tmp_path: Path) -> None:
    file = write_crib(tmp_path, "p, *, acme, local.*, *, True, allow")
    with Crib.from_config(file) as crib:
        crib.add(order)
        me = crib.principal("a", "alice")
        assert (await crib.call("order", {"item": "1"}, me)).status == "done"
        before = crib.policy().revision
        rows = "p, *, acme, local.*, *, True, allow\np, agent:a, acme, local.order, write, True, deny\n"
        policy = str(tmp_path / "policies" / "policy.csv")
        script = f"import pathlib; pathlib.Path({policy!r}).write_text({rows!r})"
        subprocess.run([sys.executable, "-c", script], check=True)
        assert crib.reload().revision != before
        assert (await crib.call("order", {"item": "2"}, me)).status == "denied"
        (tmp_path / "policies" / "policy.csv").write_text("p, half a ro")
        with pytest.raises(PolicyError, match=r"policy.csv:1"):
            crib.reload()
        assert (await crib.call("order", {"item": "3"}, me)).status == "denied"
    actions = [r.get("action") for r in read(tmp_path / ".toolcrib" / "audit") if r["kind"] == "admin"]
    assert "policy.loaded" in actions
    assert "policy.failed" in actions
