"""Approvals to look at and to answer."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from toolcrib.approvals import Answer, Approval
from toolcrib.approvals._render import approval_view, console_for
from toolcrib.decisions import Row
from toolcrib.principal import Principal

LEAD = Row("p2", ("agent:seller", "acme", "crm.*", "write", "True", "sales-lead|user:bob"), "policy.csv", 12)
LEGAL = Row("p2", ("*", "acme", "*", "send", "True", "legal"), "policy.csv", 31)


@pytest.fixture
def lead() -> Row:
    return LEAD


@pytest.fixture
def legal() -> Row:
    return LEGAL


@pytest.fixture
def approval_of() -> Callable[..., Approval]:
    """`approval_of(tool="mail.send", before=None)`: the usual approval with what is named."""

    def make(**more: Any) -> Approval:
        usual: dict[str, Any] = {
            "principal": Principal(agent="seller", user="alice", tenant="acme", session="s1", run="r1"),
            "tool": "crm.set_stage",
            "effect": "write",
            "fingerprint": "f1",
            "call_id": "call-1",
            "key": "r1:call-1",
            "arguments": {"opportunity_id": "006A", "stage": "Closed Won", "amount": 125000},
            "args_digest": "d1",
            "requirements": (LEAD,),
            "description": "Move an opportunity.\n\nLonger words.",
            "before": {"id": "006A", "stage": "Negotiation", "Amount": 90000, "name": "Globex"},
            "reason": "The customer has signed.",
            "id": "7k2m-q9xd-4p3w",
            "status": "pending",
            "created": 1_000.0,
            "expires": 4e9,
        }
        return Approval(**{**usual, **more})

    return make


@pytest.fixture
def screen() -> Callable[..., str]:
    """What an approval looks like, as plain text of the given width."""

    def look(approval: Approval, width: int = 80) -> str:
        output = io.StringIO()
        console_for(output, width).print(approval_view(approval, now=approval.expires - 598))
        return output.getvalue()

    return look


@pytest.fixture
def yes() -> Callable[..., Answer]:
    def make(by: str = "lea", at: float = 1.0, **more: Any) -> Answer:
        return Answer("approve", by, at, **more)

    return make
