from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from toolcrib.bench.lint import Finding, lint_text
from toolcrib.policy import MODEL

Lint = Callable[..., list[Finding]]

BASE = (
    "g, user:alice, sales, acme",
    "g, agent:writer, writing, acme",
    "p, sales, acme, crm.*, *, True, allow",
    "p, writing, acme, crm.*, *, True, allow",
)
"""A small policy without findings: who may what, so that a test adds the row it is about."""


@pytest.fixture
def lint() -> Lint:
    """The findings of these rows, without those that no tools are known."""

    def look(*rows: str, tools: Any = None) -> list[Finding]:
        found = lint_text(MODEL, "\n".join(rows) + "\n", tools)
        return [one for one in found if one.id != "TC600"]

    return look


@pytest.fixture
def ids(lint: Lint) -> Callable[..., list[tuple[str, int]]]:
    """The ids and lines of the findings that these rows bring beside `BASE`; their first line is 5."""

    def look(*rows: str, tools: Any = None) -> list[tuple[str, int]]:
        return [(one.id, one.line) for one in lint(*BASE, *rows, tools=tools)]

    return look
