from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolcrib.bench.tables import Report, run
from toolcrib.policy import MODEL, Policy

ROWS = """\
g, user:alice, sales, acme
g, user:dana, sales, acme
g, user:dana, lead, acme
g, user:erin, legal, acme
g, agent:writer, writing, acme
p, sales, acme, crm.*, *, True, allow
p, writing, acme, crm.get, read, True, allow
p, writing, acme, crm.put, write, True, allow
p, writing, acme, crm.mail, send, True, allow
p, *, *, crm.*, write, has(r.ctx, "before.stage") and r.ctx.before.stage == "Won", deny
p, *, *, crm.*, read, "secret" in r.ctx.labels, deny
p, *, *, crm.get, read, has(r.ctx, "args.limit") and r.ctx.args.limit > 100, deny
p, *, *, crm.get, read, r.ctx.now.hour > 20, deny
p2, *, acme, crm.mail, send, True, requester|lead
p2, *, acme, crm.mail, send, has(r.ctx, "args.amount") and r.ctx.args.amount > 10, legal
p3, *, acme, crm.mail, 20/day per user
"""


@pytest.fixture
def policy() -> Policy:
    return Policy.of(MODEL, ROWS)


@pytest.fixture
def table(tmp_path: Path, policy: Policy) -> Callable[..., Report]:
    """The report of one table with this text."""

    def one(text: str | bytes, tools: Any = ()) -> Report:
        file = tmp_path / "table.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return run(file, policy, tools)

    return one


@pytest.fixture
def case(table: Callable[..., Report]) -> Callable[..., Report]:
    """The report of one case: alice's writer reads with crm.get and expects allow, unless said otherwise."""

    def one(text: str = "", *, tools: Any = (), without: str = "") -> Report:
        given = {
            "name": "it",
            "user": "alice",
            "agent": "writer",
            "tool": "crm.get",
            "effect": "read",
            "expect": "allow",
            "now": '"2026-03-02T10:00:00Z"',
        }
        lines = text.split("\n") if text else []
        said = {line.partition(":")[0] for line in lines if line[:1].isalpha()} | {without}
        lines = [f"{key}: {value}" for key, value in given.items() if key not in said] + lines
        return table("tenant: acme\ncases:\n  - " + "\n    ".join(lines) + "\n", tools)

    return one
