"""What goes into the state database and what comes out of it, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from toolcrib.calls import ToolCall
from toolcrib.principal import NOBODY, Principal

__all__ = ["CallScope", "Commitment", "LedgerEntry", "LedgerRow", "LedgerStatus", "QuotaTake", "Settled"]

Settled: TypeAlias = Literal["done", "failed", "ambiguous"]
LedgerStatus: TypeAlias = Literal["intended", "done", "failed", "ambiguous"]


class CallScope(NamedTuple):
    """What an idempotency key is scoped by; `user` is "none" for a call without a user."""

    tenant: str
    user: str
    agent: str
    tool: str
    key: str

    @classmethod
    def of(cls, principal: Principal, tool: str, key: str) -> CallScope:
        """The scope of `key` for `principal` and `tool`."""
        return cls(principal.tenant, principal.user or NOBODY, principal.agent, tool, key)

    @classmethod
    def of_call(cls, call: ToolCall) -> CallScope:
        """The scope of a call."""
        return cls.of(call.principal, call.tool, call.key)


@dataclass(frozen=True, slots=True)
class QuotaTake:
    """One unit to take from `counter`, which has room for `limit` in any `window` seconds; `row` is the p3
    row, for messages.
    """

    counter: str
    limit: int
    window: float
    row: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The intention to run one call that is not a read.

    `args_digest` is of the arguments as asked: it decides whether a repeated key is the same call.
    `ran_digest` is of the arguments as they run, which differ after an approver's edit ("" means: the same).
    An ambiguous row stands in the way of both.
    """

    scope: CallScope
    args_digest: str
    call_id: str
    session: str
    run: str
    ran_digest: str = ""
    approval: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A ledger row as it stands; times are epoch seconds. `settled_by` and `note` are set when a human
    settled it.
    """

    id: str
    scope: CallScope
    status: LedgerStatus
    args_digest: str
    ran_digest: str
    call_id: str
    session: str
    run: str
    approval: str | None
    owner: str
    outcome: Mapping[str, Any] | None
    created: float
    updated: float
    settled_by: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Commitment:
    """The receipt of one `State.commit`; `row` is the ledger row's id (None for reads), `takes` the ids of
    the quota takes.
    """

    row: str | None
    takes: tuple[int, ...]
    approval: str | None
