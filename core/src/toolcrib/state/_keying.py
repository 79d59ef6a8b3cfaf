"""Digests of arguments are under the crib's key: what happens when that key is new, or another one.

A plain digest of a short value, such as a PIN, is found out by trying all of them. Under a key it is not, but
whoever loses the key can compare no more: an equal call of one whose outcome is unknown would then run a
second time. So the database knows its key by id. Under another one each open call counts as equal to any call
of its tool, until a human settles it; open approvals expire, which is never a yes.
"""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Connection, insert, select, update

from toolcrib.state import _tables as tables

__all__ = ["DigestKey", "hold_to", "rekey"]

KEY = "digest_key"


class DigestKey(Protocol):
    """What digests of arguments are made with."""

    @property
    def id(self) -> str:
        """Names the key, and tells nothing of it."""
        ...

    def keyed(self, digest: str) -> str:
        """The digest under this key, of a plain one."""
        ...


def rekey(connection: Connection, key: DigestKey) -> None:
    """From schema 1 to 2: every plain digest under the key, so that equal calls stay equal."""
    for table in (tables.ledger, tables.approvals):
        digests = [column for column in table.c if column.name in ("args_digest", "ran_digest")]
        for row in connection.execute(select(table.c.seq, *digests)).mappings().all():
            news = {column.name: key.keyed(row[column.name]) for column in digests}
            connection.execute(update(table).where(table.c.seq == row["seq"]).values(news))
    connection.execute(update(tables.meta).where(tables.meta.c.key == "schema").values(value="2"))


def hold_to(connection: Connection, key: DigestKey) -> str:
    """Let nothing pass for new that can no longer be compared, if the key is not the one of last time; says
    what that means, or nothing.
    """
    meta, ledger, approvals = tables.meta, tables.ledger, tables.approvals
    known = connection.execute(select(meta.c.value).where(meta.c.key == KEY)).scalar()
    if known == key.id:
        return ""
    if known is None:
        connection.execute(insert(meta).values(key=KEY, value=key.id))
        return ""
    unknown = {"args_digest": tables.UNKNOWN, "ran_digest": tables.UNKNOWN}
    calls = connection.execute(
        update(ledger).where(ledger.c.status.in_(("intended", "ambiguous"))).values(unknown)
    ).rowcount
    asked = connection.execute(
        update(approvals).where(approvals.c.status.in_(("pending", "approved"))).values(expires=0.0)
    ).rowcount
    connection.execute(update(meta).where(meta.c.key == KEY).values(value=key.id))
    if not calls and not asked:
        return ""
    return (
        f"the crib's HMAC key is another one than last time: {asked} open approval(s) have expired, and until"
        f" {calls} open call(s) are settled (`toolcrib ledger list`), no call of their tools runs. If the key"
        " can be had back, restore it together with the state database"
    )
