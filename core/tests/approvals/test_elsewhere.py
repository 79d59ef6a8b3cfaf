"""The whole way: a question at one terminal, answered from another; real processes, real database."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import textwrap

import pytest

from toolcrib.approvals import ApprovalRequest, Review, TerminalChannel
from toolcrib.state import State

ANSWER = """
import sys
from click.testing import CliRunner
from toolcrib.cli.approvals import approvals
from toolcrib.state import State
from pathlib import Path

class Desk:
    def __init__(self, state): self._state = state
    def state(self): return self._state
    def approver(self): return "lea"
    def policy(self): return self
    def approves(self, person, row, principal): return person == "lea"
    def record(self, **fields): pass

with State.open(Path(sys.argv[1])) as state:
    result = CliRunner().invoke(approvals, sys.argv[2:], obj=Desk(state))
    print(result.output, result.exception or "", end="")
    sys.exit(result.exit_code)
"""


@pytest.fixture
def state(tmp_path):
    with State.open(tmp_path / ".toolcrib") as opened:
        yield opened


@pytest.fixture
def pending(state, approval_of):
    like = approval_of()
    fields = {name: getattr(like, name) for name in ApprovalRequest.__dataclass_fields__}
    return state.request_approval(ApprovalRequest(**fields), ttl=600)


@pytest.fixture
def terminal():
    """A terminal at which nobody types, and what it shows."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as stream:
        output = io.StringIO()
        yield TerminalChannel("lea", input=stream, output=output, width=100), output
        os.close(writer)


def elsewhere(state, *arguments):
    """Run `toolcrib approvals ...` in another process."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ANSWER), str(state.folder), *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def first_of(state, channel, approval):
    """What an executor does: ask here, listen for an answer from elsewhere, and take whichever is first."""
    asking = asyncio.create_task(channel.ask(Review(approval)))
    listening = asyncio.create_task(state.answered(approval, 60))
    await asyncio.wait({asking, listening}, return_when=asyncio.FIRST_COMPLETED)
    for task in (asking, listening):
        task.cancel()
    await asyncio.gather(asking, listening, return_exceptions=True)
    return asking, listening


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("approve",), "approved"),
        (("reject", "--note", "no"), "rejected"),
        (("edit", "--set", "amount=5"), "approved"),
    ],
)
async def test_an_answer_from_elsewhere_takes_the_prompt_away(state, terminal, pending, command, status):
    channel, output = terminal
    racing = asyncio.create_task(first_of(state, channel, pending))
    while "[s]kip > " not in output.getvalue():
        await asyncio.sleep(0)
    said = await asyncio.to_thread(elsewhere, state, command[0], pending.id, *command[1:])
    assert pending.id in said
    asking, listening = await racing
    assert listening.result().status == status
    assert asking.cancelled()
    assert "This was answered elsewhere." in output.getvalue()
    if command[0] == "edit":
        assert listening.result().shown["amount"] == 5


async def test_a_parked_question_is_answered_after_its_process_has_gone(tmp_path, approval_of):
    like = approval_of()
    fields = {name: getattr(like, name) for name in ApprovalRequest.__dataclass_fields__}
    with State.open(tmp_path / ".toolcrib") as asking:
        approval = asking.request_approval(ApprovalRequest(**fields), ttl=600)
    elsewhere(asking, "approve", approval.id)
    with State.open(tmp_path / ".toolcrib") as resumed:
        again = resumed.request_approval(ApprovalRequest(**fields), ttl=600)
        assert (again.id, again.status) == (approval.id, "approved")
        resumed.commit(approval=again)
        assert resumed.get_approval(approval.id).status == "used"


def test_another_process_lists_and_shows_the_question(state, pending):
    assert pending.id in elsewhere(state, "list")
    assert "→ Closed Won" in elsewhere(state, "show", pending.id)
