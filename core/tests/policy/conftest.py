from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from toolcrib.decisions import Decision
from toolcrib.policy import Facts, Policy
from toolcrib.policy._model import MODEL
from toolcrib.principal import Principal


@dataclass(frozen=True)
class Tool:
    name: str = "crm.set_stage"
    effect: Any = "write"
    labels: frozenset[str] = frozenset()
    idempotent: bool = False

    @property
    def pack(self) -> str:
        return self.name.partition(".")[0]


@pytest.fixture
def tool() -> type[Tool]:
    return Tool


@pytest.fixture
def load() -> Callable[..., Policy]:
    """A policy of the shipped model from rows."""
    return lambda *rows: Policy.of(MODEL, "\n".join(rows) + "\n")


@pytest.fixture
def decide(load: Callable[..., Policy]) -> Callable[..., Decision]:
    """One decision for user alice and agent writer in tenant acme about crm.set_stage (write), unless
    said otherwise.
    """

    def one(
        *rows: str, who: Principal | None = None, name: str = "", effect: str = "", **facts: Any
    ) -> Decision:
        policy = load(*rows)
        asked = Tool(name or "crm.set_stage", effect or "write", facts.pop("tool_labels", frozenset()))
        facts.setdefault("arguments", {})
        facts.setdefault("before", None)
        candidates = policy.candidates(who or Principal("writer", "alice", "acme"), asked)
        return policy.decide(candidates, Facts(**facts))

    return one
