"""A real database in a fresh folder, and short ways to say what goes into it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from toolcrib.approvals import Answer, ApprovalRequest
from toolcrib.decisions import Row
from toolcrib.principal import Principal
from toolcrib.state import CallScope, LedgerEntry, QuotaTake, State

LEAD = Row("p2", ("agent:seller", "acme", "crm.*", "write", "True", "sales-lead"), "policy.csv", 12)
SELLER = Principal(agent="seller", user="alice", tenant="acme", session="s1", run="r1")


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".toolcrib"


@pytest.fixture
def state(folder: Path, clock: Clock) -> Iterator[State]:
    with State.open(folder, clock=clock) as opened:
        yield opened


@pytest.fixture
def seller() -> Principal:
    return SELLER


@pytest.fixture
def lead() -> Row:
    return LEAD


@pytest.fixture
def entry() -> Callable[..., LedgerEntry]:
    """`entry("k1", "d1")`: a call of crm.set_stage with this key and argument digest."""

    def make(key: str = "k1", digest: str = "d1", **more: Any) -> LedgerEntry:
        tool, principal = more.pop("tool", "crm.set_stage"), more.pop("principal", SELLER)
        scope = CallScope.of(principal, tool, key)
        return LedgerEntry(scope, digest, call_id=f"call-{key}", session="s1", run="r1", **more)

    return make


@pytest.fixture
def take() -> Callable[..., QuotaTake]:
    def make(counter: str = "c", limit: int = 2, window: float = 60.0) -> QuotaTake:
        return QuotaTake(counter, limit, window, f"policy.csv:20 (p3, {counter})")

    return make


@pytest.fixture
def request_of() -> Callable[..., ApprovalRequest]:
    """`request_of(key="k1", preview="p2")`: a question that differs from the usual one in what is named."""

    def make(**more: Any) -> ApprovalRequest:
        usual: dict[str, Any] = {
            "principal": SELLER,
            "tool": "crm.set_stage",
            "effect": "write",
            "fingerprint": "f1",
            "call_id": "call-k1",
            "key": "k1",
            "arguments": {"id": "006A", "stage": "Closed Won"},
            "args_digest": "d1",
            "requirements": (LEAD,),
            "preview": "p1",
            "before": {"id": "006A", "stage": "Negotiation"},
        }
        return ApprovalRequest(**{**usual, **more})

    return make


@pytest.fixture
def yes() -> Callable[..., Answer]:
    def make(by: str = "lea", at: float = 1.0, **more: Any) -> Answer:
        return Answer("approve", by, at, **more)

    return make


class Other:
    """Another process on the same folder, spoken to in lines: `tell` sends one, `hear` waits for one."""

    def __init__(self, folder: Path, program: str, *arguments: str) -> None:
        source = PRELUDE + textwrap.dedent(program)
        self.process = subprocess.Popen(
            [sys.executable, "-c", source, str(folder), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, line: str = "go") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()  # SIGKILL: no handler, no atexit, no finally
        self.process.wait()

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait()


PRELUDE = """
import sys, threading, time
from pathlib import Path
from toolcrib.approvals import Answer, ApprovalRequest
from toolcrib.decisions import Row
from toolcrib.errors import *
from toolcrib.principal import Principal
from toolcrib.state import *

folder = Path(sys.argv[1])
seller = Principal(agent="seller", user="alice", tenant="acme", session="s1", run="r1")

def say(text):
    print(text, flush=True)

def entry(key, digest="d1"):
    return LedgerEntry(CallScope.of(seller, "crm.set_stage", key), digest, "call-" + key, "s1", "r1")
"""


@pytest.fixture
def other(folder: Path) -> Iterator[Callable[..., Other]]:
    """`other(program, *arguments)` starts `program` in another process on the same folder."""
    started: list[Other] = []

    def start(program: str, *arguments: str) -> Other:
        started.append(Other(folder, program, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        for pipe in (each.process.stdin, each.process.stdout):
            if pipe is not None:
                pipe.close()
