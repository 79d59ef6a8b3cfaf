"""The embedded CRM: one SQLite file per tenant in the pack's folder, filled with sample data at first use.

Real transactions: a conversion or a deletion happens as a whole or not at all. One connection per file,
guarded by a lock, serves all threads; other processes may use the same files (WAL, `BEGIN IMMEDIATE`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, get_args

from toolcrib import CallContext
from toolcrib.errors import VendorRefused
from toolcrib_crm import _sql, sample
from toolcrib_crm.backend import Row, Values, unknown
from toolcrib_crm.models import ActivityKind, Conversion, Stage
from toolcrib_crm.query import Query
from toolcrib_crm.schema import OBJECTS, ObjectSpec

__all__ = ["EmbeddedBackend"]

T = TypeVar("T")

_TYPES = {"integer": "INTEGER", "number": "REAL", "boolean": "INTEGER"}
_DERIVED = {
    "Contact": "trim(coalesce(r.first_name, '') || ' ' || r.last_name) AS name, a.name AS account_name",
    "Lead": "trim(coalesce(r.first_name, '') || ' ' || r.last_name) AS name",
    "Opportunity": "r.stage IN ('Closed Won', 'Closed Lost') AS is_closed, r.stage = 'Closed Won' AS is_won, "
    "a.name AS account_name",
}
"""Fields that follow from others: the views that queries see work them out."""
_NOT_STORED = {
    "Contact": {"name", "account_name"},
    "Lead": {"name"},
    "Opportunity": {"is_closed", "is_won", "account_name"},
}
_PICKLISTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Opportunity": {"stage": get_args(Stage)},
    "Activity": {"kind": get_args(ActivityKind)},
    "Lead": {
        "status": (
            "Open - Not Contacted",
            "Working - Contacted",
            "Closed - Converted",
            "Closed - Not Converted",
        )
    },
}


_DEFAULTS: Mapping[str, Mapping[str, Any]] = {"Lead": {"is_converted": 0, "status": "Open - Not Contacted"}}


class EmbeddedBackend:
    """See `Backend`; `folder` is the pack's own."""

    def __init__(self, folder: Path, *, converted_status: str = "Closed - Converted") -> None:
        self._folder = folder
        self._converted_status = converted_status
        self._guard = threading.Lock()
        self._stores: dict[str, _Store] = {}

    async def fetch(self, query: Query, ctx: CallContext) -> Sequence[Row]:
        """See `Backend.fetch`."""
        return await self._run(ctx, lambda store: store.fetch(query))

    async def fetch_all(self, queries: Sequence[Query], ctx: CallContext) -> Sequence[Sequence[Row]]:
        """See `Backend.fetch_all`; all see the same moment."""
        return await self._run(ctx, lambda store: store.fetch_all(queries))

    async def picklists(self, spec: ObjectSpec, ctx: CallContext) -> Mapping[str, tuple[str, ...]]:
        """See `Backend.picklists`."""
        return _PICKLISTS.get(spec.name, {})

    async def create(self, spec: ObjectSpec, values: Values, ctx: CallContext) -> str:
        """See `Backend.create`."""
        return await self._run(ctx, lambda store: store.create(spec, values))

    async def update(self, spec: ObjectSpec, record_id: str, values: Values, ctx: CallContext) -> None:
        """See `Backend.update`."""
        await self._run(ctx, lambda store: store.update(spec, record_id, values))

    async def delete(self, spec: ObjectSpec, record_id: str, ctx: CallContext) -> None:
        """See `Backend.delete`; an account with a deal won is kept."""
        await self._run(ctx, lambda store: store.delete(spec, record_id))

    async def convert_lead(
        self, lead_id: str, account_id: str | None, opportunity_name: str | None, ctx: CallContext
    ) -> Conversion:
        """See `Backend.convert_lead`."""
        status = self._converted_status
        return await self._run(
            ctx, lambda store: store.convert(lead_id, account_id, opportunity_name, status)
        )

    async def close(self) -> None:
        """See `Backend.close`."""
        with self._guard:
            for store in self._stores.values():
                store.close()
            self._stores.clear()

    async def _run(self, ctx: CallContext, work: Callable[[_Store], T]) -> T:
        return await asyncio.to_thread(lambda: work(self._store(ctx.principal.tenant)))

    def _store(self, tenant: str) -> _Store:
        # A tenant matches [A-Za-z0-9@._-]+ (Principal sees to it), and the prefix keeps ".." from being a
        # path.
        with self._guard:
            if tenant not in self._stores:
                self._stores[tenant] = _Store(self._folder / f"crm-{tenant}.db")
            return self._stores[tenant]


class _Store:
    """One tenant's file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            _build(path)
        self._db = _connect(path)
        self._lock = threading.Lock()

    def close(self) -> None:
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

    def fetch(self, query: Query) -> list[Row]:
        with self._lock:
            return self._rows(query)

    def fetch_all(self, queries: Sequence[Query]) -> list[list[Row]]:
        with self._lock:
            self._db.execute("BEGIN")
            try:
                return [self._rows(query) for query in queries]
            finally:
                self._db.execute("ROLLBACK")

    def _rows(self, query: Query) -> list[Row]:
        text, parameters = _sql.render(query)
        found = self._db.execute(text, parameters).fetchall()
        return [{f.name: f.plain(raw) for f, raw in zip(query.fields, row, strict=True)} for row in found]

    def create(self, spec: ObjectSpec, values: Values) -> str:
        with self._transaction() as db:
            return _insert(db, spec, {name: _sql.bound(value) for name, value in values.items()})

    def update(self, spec: ObjectSpec, record_id: str, values: Values) -> None:
        with self._transaction() as db:
            row = _row(db, spec, record_id)
            bound = {name: _sql.bound(value) for name, value in values.items()}
            # Saying the same again changes nothing, not even the time of the last change.
            fresh = {name: value for name, value in bound.items() if row[name] != value}
            if fresh:
                _set(db, spec, record_id, fresh)

    def delete(self, spec: ObjectSpec, record_id: str) -> None:
        with self._transaction() as db:
            _row(db, spec, record_id)
            if spec.name == "Account":
                _refuse_won(db, record_id)
                db.execute("DELETE FROM Contact_rows WHERE account_id = ?", (record_id,))
                db.execute("DELETE FROM Opportunity_rows WHERE account_id = ?", (record_id,))
            db.execute("DELETE FROM Activity_rows WHERE ? IN (who_id, related_id, account_id)", (record_id,))
            db.execute(f"DELETE FROM {spec.name}_rows WHERE id = ?", (record_id,))  # noqa: S608

    def convert(self, lead_id: str, account_id: str | None, deal: str | None, status: str) -> Conversion:
        with self._transaction() as db:
            lead = _row(db, OBJECTS["Lead"], lead_id)
            if lead["is_converted"]:
                raise VendorRefused(f"lead {lead_id} is already converted", rule="a lead is converted once")
            account = account_id or _insert(db, OBJECTS["Account"], _account_of(lead))
            contact = _insert(db, OBJECTS["Contact"], _contact_of(lead, account))
            opportunity = _insert(db, OBJECTS["Opportunity"], _deal_of(deal, account)) if deal else None
            _set(db, OBJECTS["Lead"], lead_id, {"is_converted": 1, "status": status})
            db.execute(
                "UPDATE Activity_rows SET who_id = ?, account_id = ? WHERE who_id = ?",
                (contact, account, lead_id),
            )
            return Conversion(lead_id, account, contact, opportunity)


def _account_of(lead: sqlite3.Row) -> dict[str, Any]:
    same = ("website", "phone", "industry", "employees", "annual_revenue")
    return {"name": lead["company"], **{name: lead[name] for name in same}}


def _contact_of(lead: sqlite3.Row, account: str) -> dict[str, Any]:
    same = ("first_name", "last_name", "email", "phone", "title")
    return {"account_id": account, **{name: lead[name] for name in same}}


def _deal_of(name: str, account: str) -> dict[str, Any]:
    return {
        "account_id": account,
        "name": name,
        "stage": "Prospecting",
        "close_date": f"{datetime.now(UTC).year}-12-31",
    }


def _refuse_won(db: sqlite3.Connection, account_id: str) -> None:
    won = db.execute(
        "SELECT count(*) FROM Opportunity WHERE account_id = ? AND is_won", (account_id,)
    ).fetchone()[0]
    if won:
        raise VendorRefused(
            f"account {account_id} cannot be deleted: it has {won} opportunities Closed Won",
            rule="an account with a deal won is kept",
        )


def _row(db: sqlite3.Connection, spec: ObjectSpec, record_id: str) -> sqlite3.Row:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    row = cursor.execute(f"SELECT * FROM {spec.name} WHERE id = ?", (record_id,)).fetchone()  # noqa: S608
    if row is None:
        raise unknown(spec, record_id)
    found: sqlite3.Row = row
    return found


def _insert(db: sqlite3.Connection, spec: ObjectSpec, values: dict[str, Any]) -> str:
    _check_links(db, values)
    if spec.name == "Activity":
        values = {**values, "account_id": _account_behind(db, values)}
    number = db.execute(
        "UPDATE sequence SET last = last + 1 WHERE object = ? RETURNING last", (spec.name,)
    ).fetchone()[0]
    record_id = sample.make_id(spec.name, number)
    _insert_row(
        db,
        spec,
        {
            "id": record_id,
            "created_at": _now(),
            "modified_at": _now(),
            **_DEFAULTS.get(spec.name, {}),
            **values,
        },
    )
    return record_id


def _insert_row(db: sqlite3.Connection, spec: ObjectSpec, values: Mapping[str, Any]) -> None:
    columns = [field for field in _stored(spec) if field in values]
    marks = ", ".join("?" * len(columns))
    db.execute(
        f"INSERT INTO {spec.name}_rows ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
        [values[column] for column in columns],
    )


def _set(db: sqlite3.Connection, spec: ObjectSpec, record_id: str, values: Mapping[str, Any]) -> None:
    changes = {**values, "modified_at": _now()}
    assignments = ", ".join(f"{column} = ?" for column in changes)
    db.execute(f"UPDATE {spec.name}_rows SET {assignments} WHERE id = ?", [*changes.values(), record_id])  # noqa: S608


def _check_links(db: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    """Every id that is written must be that of a record."""
    for name in ("account_id", "who_id", "related_id"):
        if linked := values.get(name):
            spec = next(
                (spec for spec in OBJECTS.values() if linked.startswith(spec.prefix)), OBJECTS["Account"]
            )
            _row(db, spec, linked)


def _account_behind(db: sqlite3.Connection, values: Mapping[str, Any]) -> str | None:
    if (related := values.get("related_id")) and related.startswith(OBJECTS["Account"].prefix):
        return str(related)
    for name, spec in (("related_id", OBJECTS["Opportunity"]), ("who_id", OBJECTS["Contact"])):
        if (linked := values.get(name)) and linked.startswith(spec.prefix):
            account: str | None = _row(db, spec, linked)["account_id"]
            return account
    return None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stored(spec: ObjectSpec) -> list[str]:
    return [name for name in spec.fields if name not in _NOT_STORED.get(spec.name, ())]


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.create_function(
        "fold", 1, lambda text: text.casefold() if isinstance(text, str) else text, deterministic=True
    )
    db.create_function("matches", 2, _matches, deterministic=True)
    return db


def _matches(pattern: str, text: str | None) -> bool:
    return text is not None and _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def _build(path: Path) -> None:
    """Make the file beside its place and link it in whole: two processes that start together end with one of
    the two.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.unlink(missing_ok=True)
    db = sqlite3.connect(draft, isolation_level=None)
    try:
        db.execute("BEGIN")
        for spec in OBJECTS.values():
            _create_object(db, spec)
        db.execute("CREATE TABLE sequence (object TEXT PRIMARY KEY, last INTEGER NOT NULL)")
        for kind, rows in sample.records().items():
            db.execute("INSERT INTO sequence VALUES (?, ?)", (kind, len(rows)))
            for row in rows:
                _insert_row(db, OBJECTS[kind], row)
        db.execute("COMMIT")
    finally:
        db.close()
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


def _create_object(db: sqlite3.Connection, spec: ObjectSpec) -> None:
    columns = [f"{name} {_TYPES.get(spec.fields[name].type, 'TEXT')}" for name in _stored(spec)]
    columns[0] += " PRIMARY KEY"
    db.execute(f"CREATE TABLE {spec.name}_rows ({', '.join(columns)})")
    derived = f", {_DERIVED[spec.name]}" if spec.name in _DERIVED else ""
    join = " LEFT JOIN Account_rows a ON a.id = r.account_id" if "a." in derived else ""
    db.execute(f"CREATE VIEW {spec.name} AS SELECT r.*{derived} FROM {spec.name}_rows r{join}")  # noqa: S608
    for name in ("account_id", "who_id", "related_id"):
        if name in _stored(spec):
            db.execute(f"CREATE INDEX {spec.name}_{name} ON {spec.name}_rows ({name})")
