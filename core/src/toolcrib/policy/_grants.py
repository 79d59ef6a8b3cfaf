"""What a sandboxed tool asks for beyond its defaults is granted by rows that speak of it, and by no others.

A row such as `p, coder, acme, code.*, read, True, allow` was written to let somebody compute. It must not
also hand out eight gigabytes, an hour, or the network, only because the tool can ask for them. So a call
that asks for more memory than the tool's default is denied unless one of the allow rows that match reads
`r.ctx.sandbox.memory`; whoever writes that decides how much. Casbin's verdict is never made milder by this,
only stricter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from toolcrib.decisions import Decision, Row
from toolcrib.policy._facts import Facts

__all__ = ["bounded", "granting", "shortfall", "ungranted"]


def ungranted(rows: Iterable[Row], beyond: Mapping[str, Any]) -> list[str]:
    """The fields that none of these rows reads. A path in a row's text is a read: text constants cannot hold
    one, as a condition with such a constant is refused.
    """
    texts = [value for row in rows for value in row.values]
    return [field for field in beyond if not any(_reads(text, field) for text in texts)]


def _reads(text: str, field: str) -> bool:
    return re.search(rf"\br\.ctx\.sandbox\.{field}\b", text) is not None


def shortfall(fields: Sequence[str], facts: Facts) -> str:
    """Why a call is denied that some row would allow."""
    told = [f"{field} {_shown(facts, field)} (default {_plain(facts.beyond[field])})" for field in fields]
    return f"no row that allows it speaks of r.ctx.sandbox.{fields[0]}, and it asks for {' and '.join(told)}"


def _shown(facts: Facts, field: str) -> str:
    return _plain((facts.sandbox or {}).get(field))


def _plain(value: Any) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)[:5]) or "none"
    return str(value)


def bounded(decision: Decision, facts: Facts) -> Decision:
    """`decision`, or a deny where it would grant what no row speaks of."""
    if not facts.beyond or decision.verdict == "deny":
        return decision
    fields = ungranted(decision.rows, facts.beyond)
    if not fields:
        return decision
    return Decision("deny", shortfall(fields, facts), decision.revision, inputs=decision.inputs)


def granting(facts: Facts) -> str:
    """The condition of a row that grants just what a call asks for beyond the defaults, else `True`."""
    told = [f"r.ctx.sandbox.{field} <= {_literal(facts, field)}" for field in facts.beyond]
    return " and ".join(told) or "True"


def _literal(facts: Facts, field: str) -> str:
    value = (facts.sandbox or {}).get(field)
    if isinstance(value, frozenset):
        return "[" + ", ".join(f'"{each}"' for each in sorted(value)) + "]"
    return str(value)
