"""How often: the fourth column of a p3 row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias, cast

from toolcrib.decisions import Row
from toolcrib.policy._problems import Unfit
from toolcrib.principal import NOBODY, Principal

__all__ = ["Per", "Quota", "parse_quota"]

Per: TypeAlias = Literal["user", "agent", "tenant"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_FORM = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day|week) per (user|agent|tenant)")


@dataclass(frozen=True, slots=True)
class Quota:
    """`limit` calls within `window_seconds`, counted `per` user, agent or tenant."""

    limit: int
    window_seconds: int
    per: Per
    row: Row

    @classmethod
    def of(cls, row: Row) -> Quota:
        """The quota of a p3 row."""
        return cls(*parse_quota(row.values[-1]), row)

    def key(self, principal: Principal) -> str:
        """The counter's key: the row's text (not its line, so that moving it keeps the count) and whom it
        counts.

        Users and agents are counted within their tenant: the same id in two tenants is two people.
        """
        who = {"user": principal.user or NOBODY, "agent": principal.agent, "tenant": ""}[self.per]
        return f"{', '.join((self.row.kind, *self.row.values))} | {self.per}:{who}@{principal.tenant}"


@lru_cache(4096)
def parse_quota(text: str) -> tuple[int, int, Per]:
    """Limit, window in seconds, and what is counted; raises `Unfit`."""
    found = _FORM.fullmatch(" ".join(text.split()))
    if not found:
        raise Unfit(
            f"quota {text!r}",
            "a quota is NUMBER/second|minute|hour|day|week per user|agent|tenant",
            "Write for example 20/day per user",
        )
    return int(found[1]), _SECONDS[found[2]], cast("Per", found[3])
