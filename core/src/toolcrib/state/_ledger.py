"""The ledger: what was about to happen, and what came of it. A write is run only on the strength of a row
that says `intended`.

The hard case is a row whose process died in between: the tool may have run or not, and nobody knows. Such a
row is *ambiguous* and only a human settles it. A live owner's `intended` row is merely under way. The owner's
lock tells the two apart, and every look at a row asks it, so that no call slips through between a death and
the next sweep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    RowMapping,
    Select,
    bindparam,
    delete,
    insert,
    literal,
    or_,
    select,
    update,
)

from toolcrib.approvals import Approval
from toolcrib.errors import CallAmbiguous, CallRefused, KeyReused, StateError
from toolcrib.state._approvals import Approvals
from toolcrib.state._database import Database
from toolcrib.state._ids import as_prefix, new_id
from toolcrib.state._model import CallScope, Commitment, LedgerEntry, LedgerRow, QuotaTake
from toolcrib.state._quotas import Quotas
from toolcrib.state._tables import UNKNOWN
from toolcrib.state._tables import ledger as table

__all__ = ["Ledger"]


# Statements are built once: building one costs more than running it.
IN_SCOPE = select(table).where(
    *(table.c[name] == bindparam(name) for name in ("tenant", "user", "agent", "tool", "key"))
)
BY_ID = select(table).where(table.c.id == bindparam("row"))
DIGESTS: tuple[BindParameter[str], ...] = (bindparam("asked"), bindparam("ran"))
EQUAL_OPEN = (
    select(table)
    .where(
        table.c.status.in_(("intended", "ambiguous")),
        table.c.tenant == bindparam("tenant"),
        table.c.tool == bindparam("tool"),
        or_(
            table.c.args_digest.in_(DIGESTS),
            table.c.ran_digest.in_(DIGESTS),
            table.c.args_digest == literal(UNKNOWN),
        ),
    )
    .order_by(table.c.seq)
)
INSERT = insert(table)
OURS = (table.c.id == bindparam("row")) & (table.c.owner == bindparam("us"))
UNDO = delete(table).where(OURS, table.c.status == "intended")
NEWS: dict[str, BindParameter[Any]] = {
    name: bindparam(f"new_{name}") for name in ("status", "outcome", "updated")
}
SETTLE = update(table).where(OURS, table.c.status.in_(("intended", "ambiguous"))).values(NEWS)
BY_HAND = (
    update(table)
    .where(table.c.id == bindparam("row"), table.c.status == "ambiguous")
    .values({name: bindparam(f"new_{name}") for name in ("status", "settled_by", "note", "updated")})
)
INTENDED_OWNERS = select(table.c.owner).where(table.c.status == "intended").distinct()
OF_OWNERS = (table.c.status == "intended") & table.c.owner.in_(bindparam("owners", expanding=True))
ORPHANS = select(table.c.id).where(OF_OWNERS)
ORPHAN = update(table).where(OF_OWNERS).values(NEWS)

ORPHANED = {"reason": "the process that ran it ended before it could say what happened"}
MEND = "Find out whether it happened, then run `toolcrib ledger settle {id} --done` or `--failed`"


class Ledger:
    """See the methods of `State` with the same names."""

    def __init__(self, database: Database, approvals: Approvals) -> None:
        self._db, self._approvals = database, approvals
        self.quotas = Quotas(database)

    # --- commit, undo, settle ----------------------------------------------------------------------------

    def commit(
        self, entry: LedgerEntry | None, takes: Sequence[QuotaTake], approval: Approval | None
    ) -> Commitment:
        """One transaction; raises before anything is kept."""
        if entry is None and approval is None and not takes:
            return Commitment(None, (), None)
        with self._db.write() as connection:
            if entry is not None:
                self._refuse_repeat(connection, entry)
                self._refuse_equal(connection, entry)
            taken = self.quotas.take(connection, takes)
            if approval is not None:
                self._approvals.consume(connection, approval)
            row = None if entry is None else self._insert(connection, entry)
        return Commitment(row, taken, None if approval is None else approval.id)

    def undo(self, commitment: Commitment) -> None:
        """One transaction; the row must still be `intended` and ours."""
        with self._db.write() as connection:
            if commitment.row is not None:
                gone = connection.execute(UNDO, {"row": commitment.row, "us": self._db.owner.id})
                if gone.rowcount != 1:
                    raise StateError(
                        f"ledger row {commitment.row} cannot be undone",
                        rule="only an intended row of this process can",
                        remedy="Look at it with `toolcrib ledger list`",
                    )
            self.quotas.give_back(connection, commitment.takes)
            if commitment.approval is not None:
                self._approvals.restore(connection, commitment.approval)

    def settle(
        self, commitment: Commitment, status: str, outcome: Mapping[str, Any] | None
    ) -> LedgerRow | None:
        """Our own row, unless it is final."""
        if commitment.row is None:
            return None
        ours = {"row": commitment.row, "us": self._db.owner.id}
        with self._db.write() as connection:
            connection.execute(SETTLE, {**ours, **self._news(status, outcome)})
            return _one(connection, commitment.row)

    def settle_by_hand(self, row_id: str, status: str, by: str, note: str) -> LedgerRow:
        """An ambiguous row only."""
        self.mark_orphans()
        with self._db.write() as connection:
            news = {
                "new_status": status,
                "new_settled_by": by,
                "new_note": note,
                "new_updated": self._db.now(),
            }
            changed = connection.execute(BY_HAND, {"row": row_id, **news}).rowcount
            row = _one(connection, row_id)
        if not changed:
            raise CallRefused(
                f"ledger row {row_id} is {row.status}, not ambiguous",
                rule="only an ambiguous row is settled by hand",
                remedy="`toolcrib ledger list --status ambiguous` shows those",
            )
        return row

    # --- looking -----------------------------------------------------------------------------------------

    def recall(self, scope: CallScope) -> LedgerRow | None:
        """By key; a dead owner's row is marked first."""
        with self._db.read() as connection:
            row = _first(connection, IN_SCOPE, scope._asdict())
        if row is not None and self._is_orphan(row):
            self.mark_orphans()
            with self._db.read() as connection:
                row = _first(connection, IN_SCOPE, scope._asdict())
        return row

    def ambiguous(self, tenant: str, tool: str, digest: str) -> LedgerRow | None:
        """By equal arguments; dead owners' rows are marked first."""
        with self._db.read() as connection:
            rows = _equal_open(connection, tenant, tool, digest, digest)
        if any(self._is_orphan(row) for row in rows):
            self.mark_orphans()
            with self._db.read() as connection:
                rows = _equal_open(connection, tenant, tool, digest, digest)
        return next((row for row in rows if row.status == "ambiguous"), None)

    def rows(self, status: str | None, tenant: str | None, limit: int) -> list[LedgerRow]:
        """Newest first."""
        query = select(table).order_by(table.c.seq.desc()).limit(limit)
        query = query if status is None else query.where(table.c.status == status)
        query = query if tenant is None else query.where(table.c.tenant == tenant)
        with self._db.read() as connection:
            return [_row(found) for found in connection.execute(query).mappings()]

    def by_prefix(self, typed: str) -> LedgerRow:
        """By the beginning of its id."""
        prefix = as_prefix(typed)
        query = select(table).where(table.c.id.startswith(prefix, autoescape=True)).limit(2)
        with self._db.read() as connection:
            found = [_row(row) for row in connection.execute(query).mappings()]
        if len(found) != 1 or not prefix:
            raise CallRefused(
                f"{'several ledger rows begin' if found else 'no ledger row begins'} with {typed!r}",
                remedy="`toolcrib ledger list` shows them",
            )
        return found[0]

    def mark_orphans(self) -> list[LedgerRow]:
        """All `intended` rows of dead owners."""
        with self._db.write() as connection:
            owners = set(connection.execute(INTENDED_OWNERS).scalars())
            dead = {owner for owner in owners if self._db.owner.is_dead(owner)}
            ids = connection.execute(ORPHANS, {"owners": list(dead)}).scalars().all()
            if ids:
                connection.execute(ORPHAN, {"owners": list(dead), **self._news("ambiguous", ORPHANED)})
            marked = [_one(connection, row_id) for row_id in ids]
        self._db.owner.sweep(keep=owners - dead)
        return marked

    # --- inside transactions -------------------------------------------------------------------------

    def _refuse_repeat(self, connection: Connection, entry: LedgerEntry) -> None:
        row = _first(connection, IN_SCOPE, entry.scope._asdict())
        if row is None:
            return
        if row.args_digest != entry.args_digest:
            raise KeyReused(
                f"the idempotency key {entry.scope.key!r} was used for {row.scope.tool} with other arguments",
                rule="one key, one call",
                remedy="Use a new key for a new call",
            )
        raise CallAmbiguous(
            f"the call with the key {entry.scope.key!r} is {row.status} already",
            rule=f"ledger row {row.id}",
            remedy=MEND.format(id=row.id) if row.status == "ambiguous" else "Its outcome is in the ledger",
        )

    def _refuse_equal(self, connection: Connection, entry: LedgerEntry) -> None:
        asked, ran = entry.args_digest, entry.ran_digest or entry.args_digest
        for row in _equal_open(connection, entry.scope.tenant, entry.scope.tool, asked, ran):
            if row.status == "ambiguous" or self._is_orphan(row):
                raise CallAmbiguous(
                    f"an equal call of {row.scope.tool} may or may not have happened",
                    rule=f"ledger row {row.id} is ambiguous",
                    remedy=MEND.format(id=row.id),
                )

    def _is_orphan(self, row: LedgerRow) -> bool:
        return row.status == "intended" and self._db.owner.is_dead(row.owner)

    def _insert(self, connection: Connection, entry: LedgerEntry) -> str:
        row_id, now = new_id(), self._db.now()
        values = {
            **entry.scope._asdict(),
            "id": row_id,
            "status": "intended",
            "args_digest": entry.args_digest,
            "ran_digest": entry.ran_digest or entry.args_digest,
            "call_id": entry.call_id,
            "session": entry.session,
            "run": entry.run,
            "approval": entry.approval,
            "owner": self._db.owner.id,
            "created": now,
            "updated": now,
            "note": "",
        }
        connection.execute(INSERT, values)
        return row_id

    def _news(self, status: str, outcome: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"new_status": status, "new_outcome": outcome, "new_updated": self._db.now()}


def _equal_open(connection: Connection, tenant: str, tool: str, asked: str, ran: str) -> list[LedgerRow]:
    """Rows that may still stand in the way of an equal call, oldest first."""
    values = {"tenant": tenant, "tool": tool, "asked": asked, "ran": ran}
    return [_row(row) for row in connection.execute(EQUAL_OPEN, values).mappings()]


def _first(connection: Connection, query: Select[Any], values: Mapping[str, Any]) -> LedgerRow | None:
    found = connection.execute(query, values).mappings().first()
    return None if found is None else _row(found)


def _one(connection: Connection, row_id: str) -> LedgerRow:
    row = _first(connection, BY_ID, {"row": row_id})
    if row is None:
        raise CallRefused(f"there is no ledger row {row_id!r}", remedy="`toolcrib ledger list` shows them")
    return row


def _row(found: RowMapping) -> LedgerRow:
    values = dict(found)
    values.pop("seq")
    return LedgerRow(scope=CallScope(*(values.pop(name) for name in CallScope._fields)), **values)
