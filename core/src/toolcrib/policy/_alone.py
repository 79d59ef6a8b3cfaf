"""A review or quota of a secret alone is a deny, for whoever asks: the executor, and every tool about policy.

A secret is used while a tool runs. By then nobody can be asked, and no quota be given back. A row on
everything (`*`) is different: the call itself is asked or counted under it, before anything runs, and the
executor looks whether it was (`toolcrib.executor._secrets`).
"""

from __future__ import annotations

from toolcrib.decisions import Decision, Row
from toolcrib.effects import USE
from toolcrib.policy._facts import SECRET

__all__ = ["REMEDY", "is_of_secret_alone", "not_waiting"]

REMEDY = "Write the row for the tools that use the secret; those are asked before anything runs"


def is_of_secret_alone(row: Row) -> bool:
    """Whether a p2 or p3 row asks something of the use of a secret that no call can have met."""
    if row.kind not in ("p2", "p3"):
        return False
    return row.values[2].startswith(SECRET) or (row.kind == "p2" and row.values[3] == USE)


def not_waiting(decision: Decision) -> Decision:
    """`decision`, or a deny where it asks for a review or quota of a secret alone."""
    rows = tuple(row for row in (*decision.reviews, *decision.quotas) if is_of_secret_alone(row))
    if not rows:
        return decision
    places = " and ".join(row.place for row in rows)
    reason = f"{places} asks for a review or quota of a secret alone, which nobody can give a running tool"
    return Decision("deny", reason, decision.revision, rows, inputs=decision.inputs)
