"""Approvals as rows: pending until enough people said yes, good for one use, dead when their time is over."""

from __future__ import annotations

import builtins
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select, update

from toolcrib.approvals import Answer, Approval, ApprovalRequest, require_status
from toolcrib.approvals._codec import answer_from, answer_to, request_from, request_to
from toolcrib.errors import CallRefused, KeyReused, StateError
from toolcrib.state._database import Database
from toolcrib.state._ids import as_prefix, new_id
from toolcrib.state._model import CallScope
from toolcrib.state._tables import approvals as table

__all__ = ["Approvals"]

LIVE = ("pending", "approved")


class Approvals:
    """See the methods of `State` that speak of approvals."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # --- asking ------------------------------------------------------------------------------------------

    def request(self, request: ApprovalRequest, ttl: float) -> Approval:
        """The live approval of the same key if it is for the same thing, else a new one."""
        with self._db.write() as connection:
            live = self._live(connection, request)
            if live is None:
                return self._insert(connection, request, ttl)
            if live.args_digest != request.args_digest:
                raise KeyReused(
                    f"the key {request.key!r} awaits an approval of {request.tool} with other arguments",
                    rule=f"approval {live.id}; one key, one call",
                    remedy="Use a new key for a new call",
                )
            if _same_question(live, request):
                return live
            return self._supersede(connection, live, request, ttl)

    def reopen(
        self, approval: Approval, request: ApprovalRequest, ttl: float, keep_answers: bool
    ) -> Approval:
        """A new question in place of a live one."""
        with self._db.write() as connection:
            current = self._one(connection, approval.id)
            require_status(current, *LIVE)
            answers = current.answers if keep_answers else ()
            return self._supersede(connection, current, request, ttl, answers)

    def withdraw(self, approval: Approval) -> None:
        """A live one becomes superseded by nothing."""
        with self._db.write() as connection:
            live = (table.c.id == approval.id) & table.c.status.in_(LIVE)
            connection.execute(update(table).where(live).values(status="superseded"))

    # --- looking -----------------------------------------------------------------------------------------

    def get(self, approval_id: str) -> Approval:
        """By id."""
        return self.several([approval_id])[0]

    def several(self, ids: Collection[str]) -> builtins.list[Approval]:
        """By ids; all must exist."""
        found = self._read(table.c.id.in_(ids))
        missing = set(ids) - {approval.id for approval in found}
        if missing:
            raise _unknown(f"there is no approval {min(missing)!r}")
        return found

    def by_prefix(self, typed: str) -> Approval:
        """By the beginning of its id."""
        prefix = as_prefix(typed)
        found = self._read(table.c.id.startswith(prefix, autoescape=True), limit=2) if prefix else []
        if len(found) == 1:
            return found[0]
        raise _unknown(
            f"several approvals begin with {typed!r}" if found else f"no approval begins with {typed!r}"
        )

    def list(self, status: str | None, tenant: str | None, limit: int) -> builtins.list[Approval]:
        """The newest `limit`, oldest first."""
        self._expire_overdue()
        where = table.c.seq > 0
        where = where if status is None else where & (table.c.status == status)
        where = where if tenant is None else where & (table.c.tenant == tenant)
        return self._read(where, limit=limit)[::-1]

    def find(self, scope: CallScope) -> Approval | None:
        """The latest of this key."""
        found = self._read(_in_scope(scope) & (table.c.status != "superseded"), limit=1)
        return found[0] if found else None

    # --- answering ---------------------------------------------------------------------------------------

    def answer(self, approval: Approval, answer: Answer, complete: bool) -> Approval:
        """To the approval as the person saw it. A yes that is not used yet may still be taken back by a
        rejection.
        """
        with self._db.write() as connection:
            current = self._one(connection, approval.id)
            require_status(current, *(LIVE if answer.verdict == "reject" else ("pending",)))
            _refuse_if_changed(current, approval)
            answers = [answer_to(each) for each in (*current.answers, answer)]
            if answer.verdict == "reject":
                return self._change(connection, current, answers=answers, status="rejected")
            if complete:
                return self._change(connection, current, answers=answers, **self._approved(current))
            return self._change(connection, current, answers=answers)

    def accept(self, approval: Approval) -> Approval:
        """Approved on the answers it has."""
        with self._db.write() as connection:
            current = self._one(connection, approval.id)
            require_status(current, "pending")
            _refuse_if_changed(current, approval)
            if not current.standing:
                raise CallRefused(
                    f"nobody has answered approval {approval.id}", rule="silence is never a yes"
                )
            return self._change(connection, current, **self._approved(current))

    def consume(self, connection: Connection, approval: Approval) -> None:
        """Use an approval up, inside the caller's transaction: it must be what the caller judged, and still
        be good.
        """
        current = self._one(connection, approval.id)
        require_status(current, "approved")
        _refuse_if_changed(current, approval)
        self._change(connection, current, status="used")

    def restore(self, connection: Connection, approval_id: str) -> None:
        """Make a used one usable again; the tool never started."""
        used = (table.c.id == approval_id) & (table.c.status == "used")
        connection.execute(update(table).where(used).values(status="approved"))

    def _approved(self, current: Approval) -> dict[str, Any]:
        # The one who asked may be away (a parked run): the yes is good for as long again as the question was
        # open.
        again = self._db.now() + (current.expires - current.created)
        return {"status": "approved", "expires": max(current.expires, again)}

    # --- rows ----------------------------------------------------------------------------------------------

    def _read(self, where: ColumnElement[bool], limit: int | None = None) -> builtins.list[Approval]:
        """Newest first. An expiry once seen is written down: a clock set back does not revive it."""
        query = select(table).where(where).order_by(table.c.seq.desc()).limit(limit)
        with self._db.read() as connection:
            rows = connection.execute(query).mappings().all()
        found = [self._approval(row) for row in rows]
        if any(row["status"] != seen.status for row, seen in zip(rows, found, strict=True)):
            with suppress(StateError):  # a reader's answer does not depend on it
                self._expire_overdue()
        return found

    def _expire_overdue(self) -> None:
        overdue = table.c.status.in_(LIVE) & (table.c.expires <= self._db.now())
        with self._db.read() as connection:
            if connection.execute(select(table.c.id).where(overdue).limit(1)).first() is None:
                return
        with self._db.write() as connection:
            connection.execute(update(table).where(overdue).values(status="expired"))

    def _one(self, connection: Connection, approval_id: str) -> Approval:
        found = connection.execute(select(table).where(table.c.id == approval_id)).mappings().first()
        if found is None:
            raise _unknown(f"there is no approval {approval_id!r}")
        return self._approval(found)

    def _live(self, connection: Connection, request: ApprovalRequest) -> Approval | None:
        scope = CallScope.of(request.principal, request.tool, request.key)
        live = _in_scope(scope) & table.c.status.in_(LIVE) & (table.c.expires > self._db.now())
        query = select(table).where(live).order_by(table.c.seq.desc())
        found = connection.execute(query).mappings().first()
        return None if found is None else self._approval(found)

    def _insert(
        self,
        connection: Connection,
        request: ApprovalRequest,
        ttl: float,
        answers: tuple[Answer, ...] = (),
    ) -> Approval:
        approval_id, now = new_id(), self._db.now()
        scope = CallScope.of(request.principal, request.tool, request.key)
        values = {
            **scope._asdict(),
            "id": approval_id,
            "status": "pending",
            "fingerprint": request.fingerprint,
            "args_digest": request.args_digest,
            "preview": request.preview,
            "created": now,
            "expires": now + ttl,
            "request": request_to(request),
            "answers": [answer_to(answer) for answer in answers],
        }
        connection.execute(insert(table).values(values))
        return self._one(connection, approval_id)

    def _supersede(
        self,
        connection: Connection,
        old: Approval,
        request: ApprovalRequest,
        ttl: float,
        answers: tuple[Answer, ...] = (),
    ) -> Approval:
        new = self._insert(connection, request, ttl, answers)
        self._change(connection, old, status="superseded", superseded_by=new.id)
        return new

    def _change(self, connection: Connection, approval: Approval, **values: Any) -> Approval:
        connection.execute(update(table).where(table.c.id == approval.id).values(**values))
        return self._one(connection, approval.id)

    def _approval(self, row: RowMapping) -> Approval:
        overdue = row["status"] in LIVE and row["expires"] <= self._db.now()
        return Approval(
            **request_from(row["request"]),
            id=row["id"],
            status="expired" if overdue else row["status"],
            created=row["created"],
            expires=row["expires"],
            answers=tuple(answer_from(answer) for answer in row["answers"]),
            superseded_by=row["superseded_by"],
        )


def _in_scope(scope: CallScope) -> ColumnElement[bool]:
    found: ColumnElement[bool] = table.c.key == scope.key
    for name in ("tenant", "user", "agent", "tool"):
        found = found & (table.c[name] == getattr(scope, name))
    return found


def _same_question(old: Approval, new: ApprovalRequest) -> bool:
    # Rows by content: that a comment moved them to other lines does not make it another question.
    rules = [(row.kind, row.values) for row in old.requirements]
    return old.binding == new.binding and rules == [(row.kind, row.values) for row in new.requirements]


def _refuse_if_changed(current: Approval, seen: Approval) -> None:
    if current.answers != seen.answers or current.binding != seen.binding:
        raise StateError(
            f"approval {current.id} was answered by somebody else in between",
            rule="an answer is given to what its giver saw",
            remedy=f"Look again (`toolcrib approvals show {current.id}`), then answer",
        )


def _unknown(what: str) -> CallRefused:
    return CallRefused(what, remedy="`toolcrib approvals list` shows them")
