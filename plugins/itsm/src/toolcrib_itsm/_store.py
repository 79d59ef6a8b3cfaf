"""One tenant's embedded desk: reading and writing its SQLite file, in real transactions."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from toolcrib.errors import VendorRefused
from toolcrib_itsm import _desk, sample
from toolcrib_itsm.backend import Changes, unknown
from toolcrib_itsm.models import (
    Approval,
    Article,
    ConfigurationItem,
    Decision,
    JournalEntry,
    NewTicket,
    Order,
    Page,
    Person,
    ResolutionCode,
    Ticket,
    TicketRef,
    TicketSearch,
    Window,
)

__all__ = ["Store"]

T = TypeVar("T")

_TICKET = (
    "id, id AS number, kind, title, description, state, active, priority, category, requester_id, requester, "
    "assignee_id, assignee, group_name AS 'group', ci_id, parent_id, resolution, opened_at, updated_at"
)
_COLUMNS = {"group": "group_name"}


class Store:
    """One tenant's file; its methods are those of `Backend`, `caller` is a user name."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            _desk.build(path)
        self._db = _desk.connect(path)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    # --- reading

    def search(self, query: TicketSearch, window: Window) -> Page[Ticket]:
        """See `Backend.search`."""
        where, values = ["1"], list[Any]()
        if query.text is not None:
            where.append("(has(title, ?) OR has(description, ?) OR id = upper(?))")
            values += [query.text] * 3
        for column in ("kind", "state", "priority", "requester_id", "assignee_id", "group", "ci_id"):
            if (value := getattr(query, column)) is not None:
                where.append(f"{_COLUMNS.get(column, column)} = ?")
                values.append(value)
        if query.active_only:
            where.append("active")
        text = f"SELECT {_TICKET} FROM seen WHERE {' AND '.join(where)} ORDER BY updated_at DESC, id DESC"  # noqa: S608
        return self._page(Ticket, text, values, window)

    def ticket(self, ticket_id: str) -> Ticket:
        """See `Backend.ticket`."""
        with self._lock:
            return _ticket(self._db, ticket_id)

    def journal(self, ticket_id: str, window: Window) -> Page[JournalEntry]:
        """See `Backend.journal`."""
        self.ticket(ticket_id)
        text = (
            "SELECT j.id, j.internal, p.name AS author, j.text, j.created_at FROM journal j"
            " LEFT JOIN person p ON p.id = j.author_id WHERE j.ticket_id = ? ORDER BY j.id DESC"
        )
        return self._page(JournalEntry, text, [ticket_id], window)

    def knowledge(self, words: tuple[str, ...], window: Window) -> Page[Article]:
        """See `Backend.knowledge`."""
        each = " AND ".join("(has(title, ?) OR has(text, ?))" for _ in words)
        text = f"SELECT id, id AS number, title, text, updated_at FROM article WHERE {each} ORDER BY id"  # noqa: S608
        return self._page(Article, text, [word for word in words for _ in range(2)], window)

    def ci(self, name_or_id: str) -> ConfigurationItem:
        """See `Backend.ci`."""
        with self._lock:
            row = self._db.execute("SELECT * FROM item WHERE id = ?1 OR name = ?1", (name_or_id,)).fetchone()
        if row is None:
            raise unknown("configuration item", name_or_id)
        return ConfigurationItem(**row)

    def people(self, text: str, window: Window) -> Page[Person]:
        """See `Backend.people`."""
        found = (
            "SELECT * FROM person WHERE has(name, ?1) OR has(username, ?1) OR has(email, ?1) ORDER BY name"
        )
        page = self._page(Person, found, [text], window)
        return Page(tuple(map(self._with_groups, page.records)), page.more, page.page)

    def _with_groups(self, person: Person) -> Person:
        with self._lock:
            rows = self._db.execute(
                "SELECT group_name FROM member WHERE person_id = ? ORDER BY rowid", (person.id,)
            ).fetchall()
        return person.model_copy(update={"groups": tuple(row[0] for row in rows)})

    def _page(self, model: type[T], text: str, values: list[Any], window: Window) -> Page[T]:
        """One more than asked for is read, to know whether there are others."""
        with self._lock:
            rows = self._db.execute(
                f"{text} LIMIT {window.limit + 1:d} OFFSET {window.offset:d}", values
            ).fetchall()
        records = tuple(model(**row) for row in rows[: window.limit])
        return Page(records, len(rows) > window.limit, window.page)

    # --- writing

    def create(self, new: NewTicket, caller: str, key: str) -> TicketRef:
        """See `Backend.create`."""
        values = {
            "title": new.title,
            "description": new.description,
            "priority": new.priority,
            "category": new.category,
            "requester_id": new.requester_id,
            "ci_id": new.ci_id,
            "parent_id": new.parent_id,
        }
        with self._transaction() as db:
            return _create(db, new.kind, values, caller, key)

    def update(self, ticket_id: str, changes: Changes) -> TicketRef:
        """See `Backend.update`."""
        with self._transaction() as db:
            before = _ticket(db, ticket_id)
            if "state" in changes and before.kind != "incident":
                raise VendorRefused(f"{ticket_id} is a {before.kind}", rule="only an incident's state is set")
            if "state" in changes and not before.active:
                raise VendorRefused(
                    f"{ticket_id} is {before.state}", rule="what is done is not reopened here"
                )
            if changes.get("parent_id") == ticket_id:
                raise VendorRefused(f"{ticket_id} cannot be its own parent")
            fresh = {name: value for name, value in changes.items() if getattr(before, name) != value}
            if fresh:
                _set(db, ticket_id, fresh)
            return TicketRef(ticket_id, ticket_id, before.kind, tuple(changes))

    def write(self, ticket_id: str, text: str, internal: bool, caller: str) -> TicketRef:
        """See `Backend.write`."""
        with self._transaction() as db:
            before = _ticket(db, ticket_id)
            _say(db, ticket_id, text, internal, caller)
            return TicketRef(ticket_id, ticket_id, before.kind, ("work_note" if internal else "comment",))

    def resolve(self, ticket_id: str, code: ResolutionCode, notes: str, caller: str) -> TicketRef:
        """See `Backend.resolve`."""
        with self._transaction() as db:
            before = _ticket(db, ticket_id)
            if before.kind != "incident" or not before.active:
                raise VendorRefused(
                    f"{ticket_id} is a {before.kind} that is {before.state}",
                    rule="an open incident is resolved",
                )
            _set(db, ticket_id, {"state": "resolved", "resolution": code})
            _say(db, ticket_id, notes, True, caller)
            return TicketRef(ticket_id, ticket_id, "incident", ("state", "resolution", "work_note"))

    def order(self, order: Order, caller: str, key: str) -> TicketRef:
        """See `Backend.order`."""
        with self._transaction() as db:
            item = db.execute("SELECT * FROM catalog WHERE id = ?1 OR name = ?1", (order.item,)).fetchone()
            if item is None:
                names = ", ".join(row[0] for row in db.execute("SELECT name FROM catalog ORDER BY id"))
                raise VendorRefused(f"there is no catalog item {order.item!r:.80}", rule=f"there are {names}")
            wanted = {name for name in item["variables"].split(",") if name}
            if wanted != {name for name, _ in order.variables}:
                raise VendorRefused(
                    f"the form of {item['name']!r} is not answered",
                    rule=f"its variables are {', '.join(sorted(wanted)) or 'none'}",
                )
            asked = "".join(f"\n{name}: {value}" for name, value in order.variables)
            title = f"{order.quantity} x {item['name']}"
            values = {"title": title, "description": f"{item['text']}{asked}", "priority": "low"}
            return _create(db, "request", values, caller, key)

    def decide(self, change_id: str, decision: Decision, reason: str, caller: str) -> Approval:
        """See `Backend.decide`."""
        with self._transaction() as db:
            if _ticket(db, change_id).kind != "change":
                raise VendorRefused(f"{change_id} is no change", rule="approvals are asked for changes")
            mine = db.execute(
                "SELECT a.id, p.name FROM approval a JOIN person p ON p.id = a.approver_id"
                " WHERE a.ticket_id = ? AND p.username = ? AND a.state = 'requested'",
                (change_id, caller),
            ).fetchone()
            if mine is None:
                raise VendorRefused(
                    f"no approval of {change_id} is asked of {caller!r}",
                    rule="an approval is given by whom it is asked of",
                )
            state = "approved" if decision == "approve" else "rejected"
            db.execute("UPDATE approval SET state = ?, reason = ? WHERE id = ?", (state, reason, mine["id"]))
            _follow(db, change_id)
            return Approval(id=mine["id"], approver=mine["name"], state=state)


def _ticket(db: sqlite3.Connection, ticket_id: str) -> Ticket:
    row = db.execute(f"SELECT {_TICKET} FROM seen WHERE id = ?", (ticket_id,)).fetchone()  # noqa: S608
    if row is None:
        raise unknown("ticket", ticket_id)
    approvals = db.execute(
        "SELECT a.id, p.name AS approver, a.state FROM approval a JOIN person p ON p.id = a.approver_id"
        " WHERE a.ticket_id = ? ORDER BY a.id",
        (ticket_id,),
    ).fetchall()
    return Ticket(**row, approvals=tuple(Approval(**each) for each in approvals))


def _create(db: sqlite3.Connection, kind: Any, values: Mapping[str, Any], caller: str, key: str) -> TicketRef:
    """The new ticket, or the one that this key has made before."""
    known = db.execute("SELECT id, kind FROM ticket WHERE correlation = ?", (key,)).fetchone()
    if known is not None:
        return TicketRef(known["id"], known["id"], known["kind"])
    _check_links(db, values)
    ticket_id = sample.make_id(kind, _next(db, kind))
    own = db.execute("SELECT id FROM person WHERE username = ?", (caller,)).fetchone()
    now = _now()
    row = {
        "id": ticket_id,
        "kind": kind,
        "state": "new",
        **values,
        "requester_id": values.get("requester_id") or (own["id"] if own else None),
        "correlation": key,
        "opened_at": now,
        "updated_at": now,
    }
    marks = ", ".join(f":{name}" for name in row)
    db.execute(f"INSERT INTO ticket ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608
    if kind == "change":
        _ask_for_approval(db, ticket_id)
    return TicketRef(ticket_id, ticket_id, kind)


def _ask_for_approval(db: sqlite3.Connection, change_id: str) -> None:
    """Every member of the change board is asked."""
    for row in db.execute("SELECT person_id FROM member WHERE group_name = 'Change Board'").fetchall():
        approval = sample.make_id("approval", _next(db, "approval"))
        db.execute("INSERT INTO approval VALUES (?, ?, ?, 'requested', '')", (approval, change_id, row[0]))


def _follow(db: sqlite3.Connection, change_id: str) -> None:
    """What becomes of a change once an approval was answered."""
    rows = db.execute("SELECT state FROM approval WHERE ticket_id = ?", (change_id,)).fetchall()
    states = {row[0] for row in rows}
    if "rejected" in states:
        _set(db, change_id, {"state": "canceled"})
    elif states == {"approved"}:
        _set(db, change_id, {"state": "in_progress"})


def _set(db: sqlite3.Connection, ticket_id: str, values: Mapping[str, Any]) -> None:
    _check_links(db, values)
    columns = {_COLUMNS.get(name, name): value for name, value in values.items()}
    parts = ", ".join(f"{name} = :{name}" for name in columns)
    db.execute(
        f"UPDATE ticket SET {parts}, updated_at = :now WHERE id = :key",  # noqa: S608
        {**columns, "now": _now(), "key": ticket_id},
    )


def _check_links(db: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    """Every id and name that is written must be that of a record."""
    for field, table, column, what in (
        ("requester_id", "person", "id", "person"),
        ("assignee_id", "person", "id", "person"),
        ("ci_id", "item", "id", "configuration item"),
        ("parent_id", "ticket", "id", "ticket"),
        ("group", "team", "name", "assignment group"),
    ):
        value = values.get(field)
        if value is None:
            continue
        if db.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (value,)).fetchone() is None:  # noqa: S608
            raise unknown(what, value)


def _say(db: sqlite3.Connection, ticket_id: str, text: str, internal: bool, caller: str) -> None:
    own = db.execute("SELECT id FROM person WHERE username = ?", (caller,)).fetchone()
    entry = sample.make_id("journal", _next(db, "journal"))
    db.execute(
        "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)",
        (entry, ticket_id, int(internal), own["id"] if own else None, text, _now()),
    )
    db.execute("UPDATE ticket SET updated_at = ? WHERE id = ?", (_now(), ticket_id))


def _next(db: sqlite3.Connection, kind: str) -> int:
    row = db.execute("UPDATE sequence SET last = last + 1 WHERE kind = ? RETURNING last", (kind,)).fetchone()
    number: int = row[0]
    return number


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
