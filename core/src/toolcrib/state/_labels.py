"""The labels of a session: a set that only grows."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select

from toolcrib.state._database import Database
from toolcrib.state._tables import labels as table

__all__ = ["Labels"]

KNOWN = select(table.c.label).where(
    table.c.tenant == bindparam("tenant"), table.c.session == bindparam("session")
)


class Labels:
    """See `State.labels` and `State.add_labels`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def read(self, tenant: str, session: str) -> frozenset[str]:
        """All labels of the session."""
        with self._db.read() as connection:
            return _select(connection, tenant, session)

    def add(self, tenant: str, session: str, labels: frozenset[str]) -> frozenset[str]:
        """The union. The first look takes no write lock: most results bring labels that are known already."""
        known = self.read(tenant, session)
        if labels <= known:
            return known
        with self._db.write() as connection:
            known = _select(connection, tenant, session)
            rows = [
                {"tenant": tenant, "session": session, "label": label} for label in sorted(labels - known)
            ]
            if rows:
                connection.execute(insert(table), rows)
        return known | labels


def _select(connection: Connection, tenant: str, session: str) -> frozenset[str]:
    return frozenset(connection.execute(KNOWN, {"tenant": tenant, "session": session}).scalars())
