"""Sensitive arguments stay out of the log on every path, and so does whatever would let them be guessed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import orjson
import pytest

from toolcrib import Preview, Sensitive, ToolCall, Toolkit, tool

ALLOW = "p, *, acme, local.*, *, True, allow"
PIN = "4711-8822"


class Accounts(Toolkit):
    """Accounts that are named by what must not be written down."""

    @tool(effect="read")
    async def show(self, number: str) -> dict[str, str]:
        """Show an account."""
        return {"state": "open"}

    @tool(effect="write", preview=Preview("show", number="pin"))
    async def block(self, pin: Annotated[str, Sensitive], days: int) -> str:
        """Block an account."""
        return "blocked"


def _audit(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in (folder / ".toolcrib" / "audit").rglob("*.jsonl"))


async def test_a_preview_that_takes_a_sensitive_argument_records_its_hmac(
    make: Any, log: Any, tmp_path: Path
) -> None:
    crib = make(ALLOW + "\np, *, acme, local.block, *, r.ctx.before.state == 'shut', deny", Accounts())
    result = await crib.call("block", {"pin": PIN, "days": 1}, crib.principal("a", "alice"))
    assert result.status == "done"
    assert PIN.encode() not in _audit(tmp_path)
    preview, intent = log("intent")
    assert preview["arguments"]["number"] == intent["arguments"]["pin"], "equal values, equal digests"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("local.block", {"pin": PIN, "days": "soon"}),  # does not fit
        ("local.blok", {"pin": PIN, "days": 1}),  # a slip in the name: what is sensitive is not known
        ("local.block", {"pin": PIN + " " * 20_000, "days": 1}),  # too large to be kept
    ],
)
async def test_no_digest_in_the_log_can_be_tried_out_without_the_key(
    make: Any, tmp_path: Path, name: str, arguments: dict[str, Any]
) -> None:
    crib = make(ALLOW, Accounts())
    await crib.execute(ToolCall(name, arguments, crib.principal("a", "alice")))
    guess = hashlib.sha256(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)).hexdigest()
    assert guess.encode() not in _audit(tmp_path)
    assert PIN.encode() not in _audit(tmp_path)
