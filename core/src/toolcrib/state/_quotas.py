"""Quotas as a sliding log: every take is a row with its time, and a counter is full when `limit` of them lie
in the last `window` seconds.

Exact, where two fixed buckets are an approximation: *no* window of that length ever holds more than `limit`
takes, and giving back deletes the very take. The price is one small row per take, dropped once it is out of
the window. A look reads the `limit`-th latest row from an index, so it costs time proportional to the limit
(well below a millisecond for a limit of 1,000).

Time never runs backwards for a counter: "now" is the clock or the time of the latest take ever made,
whichever is later. So setting the clock back opens no room; it keeps it shut until the clock has caught up,
which is the careful way to be wrong. The latest time is kept by itself: a take that was given back must not
take its time with it, because older takes have been dropped by it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from toolcrib.errors import QuotaExhausted
from toolcrib.state._database import Database
from toolcrib.state._model import QuotaTake
from toolcrib.state._tables import quota_clocks as clocks
from toolcrib.state._tables import quota_takes as table

__all__ = ["Quotas"]

# Statements are built once: building one costs more than running it.
OF_COUNTER = table.c.counter == bindparam("of")
NTH_LATEST = (
    select(table.c.taken).where(OF_COUNTER).order_by(table.c.taken.desc()).limit(1).offset(bindparam("skip"))
)
LATEST = select(clocks.c.latest).where(clocks.c.counter == bindparam("of"))
LOOK = select(LATEST.scalar_subquery(), NTH_LATEST.scalar_subquery())
ADVANCE = update(clocks).where(clocks.c.counter == bindparam("of")).values(latest=bindparam("now"))
START = insert(clocks)
INSERT = insert(table)
DROP = delete(table).where(OF_COUNTER, table.c.taken < bindparam("until"))


class Quotas:
    """See `State.room` and `State.commit`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def room(self, takes: Sequence[QuotaTake]) -> QuotaTake | None:
        """The first take without room."""
        if not takes:
            return None
        before: Counter[str] = Counter()
        with self._db.read() as connection:
            for take in takes:
                now, opens = self._look(connection, take, before[take.counter])
                if opens > now:
                    return take
                before[take.counter] += 1
        return None

    def take(self, connection: Connection, takes: Sequence[QuotaTake]) -> tuple[int, ...]:
        """Take all, inside the caller's transaction; the ids of the takes. Raises `QuotaExhausted`."""
        return tuple(self._take(connection, take) for take in takes)

    def give_back(self, connection: Connection, ids: Sequence[int]) -> None:
        """Delete exactly these takes."""
        if ids:
            connection.execute(delete(table).where(table.c.id.in_(ids)))

    def _take(self, connection: Connection, take: QuotaTake) -> int:
        now, opens = self._look(connection, take, 0)
        if opens > now:
            raise _exhausted(take, opens - self._db.now())
        # A second more than needed, so that rounding can never drop a take that still counts.
        if connection.execute(ADVANCE, {"of": take.counter, "now": now}).rowcount == 0:
            connection.execute(START, {"counter": take.counter, "latest": now})
        connection.execute(DROP, {"of": take.counter, "until": now - take.window - 1.0})
        result = connection.execute(INSERT, {"counter": take.counter, "taken": now})
        assert result.inserted_primary_key is not None
        return int(result.inserted_primary_key[0])

    def _look(self, connection: Connection, take: QuotaTake, besides: int) -> tuple[float, float]:
        """Now, and when there is room given `besides` further takes that are not written yet (infinity:
        never).
        """
        left = take.limit - besides
        latest, nth = connection.execute(LOOK, {"of": take.counter, "skip": max(left, 1) - 1}).one()
        now = max(self._db.now(), -math.inf if latest is None else latest)
        if left <= 0:
            return now, math.inf
        return now, -math.inf if nth is None else nth + take.window


def _exhausted(take: QuotaTake, wait: float) -> QuotaExhausted:
    never = math.isinf(wait)
    return QuotaExhausted(
        f"the quota of {take.limit} in {take.window:g} s is used up",
        rule=take.row,
        remedy="It never opens" if never else f"There is room again in {math.ceil(wait)} s",
        retry_after=None if never else wait,
    )
