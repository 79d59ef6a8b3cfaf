"""Park, save, die, decide in another process, resume: each step in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolcrib import Crib
from toolcrib.approvals import Answer
from toolcrib.audit import read, verify
from toolcrib.testing.cribs import write_crib

ROWS = """
    p, *, acme, local.*, *, True, allow
    p2, *, acme, local.pay, write, True, user:carol
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_crib(tmp_path, ROWS, config='[approvals]\nmode = "park"\n')
    return tmp_path


def run(folder: Path, what: str) -> dict:
    program = Path(__file__).with_name("park_program.py")
    done = subprocess.run(
        [sys.executable, str(program), str(folder), what], capture_output=True, text=True, timeout=60
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


async def decide(folder: Path, approval: str, verdict: str, **more) -> None:
    with Crib.from_config(folder / "toolcrib.toml") as crib:
        await crib.answer(approval, Answer(verdict, "carol", time.time(), **more))


def paid(folder: Path) -> list[str]:
    file = folder / "paid"
    return file.read_text().splitlines() if file.exists() else []


async def test_approved(folder):
    started = run(folder, "start")
    assert started["stop"].startswith("WAITING FOR APPROVAL: local.pay waits for a human")
    assert started["approval"] in started["stop"]
    assert paid(folder) == []
    await decide(folder, started["approval"], "approve")
    resumed = run(folder, "resume")
    assert paid(folder) == ["7 to B"]
    assert resumed["settled"] == ["done"]
    assert resumed["tool"] == "paid 7 to B"
    assert resumed["said"] == ["operator: TERMINATE; the tool said: paid 7 to B"]


async def test_edited(folder):
    started = run(folder, "start")
    await decide(folder, started["approval"], "edit", edit={"account": "C", "amount": 3})
    resumed = run(folder, "resume")
    assert paid(folder) == ["3 to C"]
    assert resumed["tool"].startswith("paid 3 to C\n[a human changed the arguments; what ran was ")
    assert '{"account":"C","amount":3}' in resumed["tool"]


async def test_rejected(folder):
    started = run(folder, "start")
    await decide(folder, started["approval"], "reject", note="not this month")
    resumed = run(folder, "resume")
    assert paid(folder) == []
    assert resumed["settled"] == ["rejected"]
    assert "not this month" in resumed["tool"]
    assert "Do not ask again" in resumed["tool"]


async def test_not_answered_yet(folder):
    started = run(folder, "start")
    assert run(folder, "resume") == {"waiting": [started["approval"]]}
    assert paid(folder) == []


async def test_resumed_twice_from_one_state_pays_once(folder):
    started = run(folder, "start")
    await decide(folder, started["approval"], "approve")
    assert run(folder, "resume")["tool"] == run(folder, "resume")["tool"] == "paid 7 to B"
    assert paid(folder) == ["7 to B"]
    assert verify(folder / ".toolcrib" / "audit").problem is None
    kinds = [r["kind"] for r in read(folder / ".toolcrib" / "audit") if r.get("tool") == "local.pay"]
    assert kinds.count("outcome") == 1


async def test_killed_while_a_human_was_asked(folder):
    (folder / "toolcrib.toml").write_text('[crib]\ntenant = "acme"\n[approvals]\nmode = "wait"\n')
    killed = run(folder, "kill")
    assert paid(folder) == []
    await decide(folder, killed["approval"], "approve")
    resumed = run(folder, "ask_again")
    assert resumed["settled"] == ["done"]
    assert resumed["tool"] == "paid 7 to B"
    assert paid(folder) == ["7 to B"]
