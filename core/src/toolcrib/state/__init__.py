"""The state database: approvals, ledger, quotas and labels. SQLAlchemy is loaded when it is opened, not when
this is imported.
"""

from toolcrib.state._model import (
    CallScope,
    Commitment,
    LedgerEntry,
    LedgerRow,
    LedgerStatus,
    QuotaTake,
    Settled,
)
from toolcrib.state._state import State

__all__ = [
    "CallScope",
    "Commitment",
    "LedgerEntry",
    "LedgerRow",
    "LedgerStatus",
    "QuotaTake",
    "Settled",
    "State",
]
