"""A call that needs a person is parked, outlives the program that made it, is edited, and runs once.

Prints:
    pending
    carol may not answer
    dana edits: 60 instead of 90
    done: paid 60 to Brown & Sons
    done: paid 60 to Brown & Sons
    1 payment
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from toolcrib import Crib, ToolResult, tool
from toolcrib.approvals import Answer
from toolcrib.cli.init import write_crib
from toolcrib.errors import CallDenied

ROWS = """\
p,  user:alice,  acme, local.pay, send, True,                   allow
p,  agent:clerk, acme, local.pay, send, True,                   allow
p2, *,           acme, local.pay, send, r.ctx.args.amount > 50, finance
g,  user:dana,   finance, acme
"""
PAYMENTS: list[str] = []


@tool(effect="send")
def pay(to: str, amount: int) -> str:
    """Pay an amount to somebody."""
    PAYMENTS.append(to)
    return f"paid {amount} to {to}"


def ask(config: Path) -> ToolResult:
    """The agent's program: it ends with the call pending."""
    with Crib.from_config(config) as crib:
        crib.add(pay)
        alice = crib.principal(agent="clerk", user="alice")
        return crib.call_sync("local.pay", {"to": "Brown & Sons", "amount": 90}, alice)


async def answer_and_resume(config: Path, approval: str) -> None:
    """Another program, days later. `toolcrib approvals` does the same at a terminal."""
    with Crib.from_config(config) as crib:
        crib.add(pay)
        try:
            await crib.answer(approval, Answer("approve", "carol", time.time()))
        except CallDenied:
            print("carol may not answer")
        edited = {"to": "Brown & Sons", "amount": 60}
        await crib.answer(approval, Answer("edit", "dana", time.time(), edit=edited))
        print("dana edits: 60 instead of 90")
        for _ in range(2):
            result = await crib.resume(approval)
            print(f"{result.status}: {result.text.splitlines()[0]}")


def main(folder: Path) -> None:
    """Ask in one crib, answer and resume in another, on the same folder."""
    config = write_crib(folder, tenant="acme", rows=ROWS)
    config.write_text(config.read_text().replace('mode = "wait"', 'mode = "park"'))
    pending = ask(config)
    print(pending.status)
    assert pending.approval is not None
    asyncio.run(answer_and_resume(config, pending.approval))
    print(f"{len(PAYMENTS)} payment")


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        main(Path(temporary))
