"""The tables of the embedded desk, and how its file is made."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from pathlib import Path

from toolcrib_itsm import sample

__all__ = ["build", "connect"]

_TABLES = """
CREATE TABLE person (id TEXT PRIMARY KEY, username TEXT UNIQUE, name TEXT, email TEXT, department TEXT);
CREATE TABLE member (person_id TEXT REFERENCES person, group_name TEXT REFERENCES team);
CREATE TABLE team (name TEXT PRIMARY KEY);
CREATE TABLE item (id TEXT PRIMARY KEY, name TEXT UNIQUE, kind TEXT, status TEXT, location TEXT, owner TEXT,
    support_group TEXT REFERENCES team);
CREATE TABLE article (id TEXT PRIMARY KEY, title TEXT, text TEXT, updated_at TEXT);
CREATE TABLE catalog (id TEXT PRIMARY KEY, name TEXT UNIQUE, text TEXT, variables TEXT);
CREATE TABLE ticket (id TEXT PRIMARY KEY, kind TEXT NOT NULL, title TEXT NOT NULL, description TEXT,
    state TEXT NOT NULL, priority TEXT, category TEXT, requester_id TEXT REFERENCES person,
    assignee_id TEXT REFERENCES person, group_name TEXT REFERENCES team, ci_id TEXT REFERENCES item,
    parent_id TEXT REFERENCES ticket, resolution TEXT, correlation TEXT UNIQUE, opened_at TEXT,
    updated_at TEXT);
CREATE TABLE journal (id TEXT PRIMARY KEY, ticket_id TEXT REFERENCES ticket, internal INTEGER NOT NULL,
    author_id TEXT REFERENCES person, text TEXT NOT NULL, created_at TEXT);
CREATE TABLE approval (id TEXT PRIMARY KEY, ticket_id TEXT REFERENCES ticket,
    approver_id TEXT REFERENCES person, state TEXT NOT NULL, reason TEXT);
CREATE TABLE sequence (kind TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE INDEX ticket_updated ON ticket (updated_at);
CREATE INDEX journal_ticket ON journal (ticket_id);
CREATE VIEW portal AS SELECT j.ticket_id, t.requester_id, j.text, j.created_at
    FROM journal j JOIN ticket t ON t.id = j.ticket_id WHERE NOT j.internal;
CREATE VIEW seen AS SELECT t.*, r.name AS requester, a.name AS assignee,
    t.state IN ('new', 'in_progress', 'on_hold') AS active
    FROM ticket t LEFT JOIN person r ON r.id = t.requester_id LEFT JOIN person a ON a.id = t.assignee_id;
"""
"""`portal` is all of the journal that a requester is ever shown; `seen` is a ticket with the names in it."""


def connect(path: Path) -> sqlite3.Connection:
    """The file, opened for several threads (the caller guards it) and processes (WAL)."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    db.create_function("has", 2, _has, deterministic=True)
    db.row_factory = sqlite3.Row
    return db


def _has(text: str | None, part: str) -> bool:
    """Whether `text` has `part` in it, in any case: SQLite's own LIKE knows ASCII only."""
    return text is not None and part.casefold() in text.casefold()


def build(path: Path) -> None:
    """Make the file beside its place and link it in whole: two processes that start together end with one of
    the two.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.unlink(missing_ok=True)
    db = sqlite3.connect(draft, isolation_level=None)
    try:
        db.executescript(f"BEGIN; {_TABLES}")
        db.executemany("INSERT INTO team VALUES (?)", [(name,) for name in sample.GROUPS])
        for table, rows in sample.records().items():
            names = ", ".join(rows[0])
            marks = ", ".join(f":{name}" for name in rows[0])
            db.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608
        db.executemany("INSERT INTO sequence VALUES (?, ?)", _last())
        db.execute("COMMIT")
    finally:
        db.close()
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


def _last() -> list[tuple[str, int]]:
    """The highest number of each kind of record that is made later."""
    made = sample.records()
    tickets = made["ticket"]
    counts = {kind: sum(row["kind"] == kind for row in tickets) for kind in ("incident", "change", "request")}
    return [*counts.items(), ("journal", len(made["journal"])), ("approval", len(made["approval"]))]
