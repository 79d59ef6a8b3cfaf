"""The tables, in portable SQLAlchemy Core: SQLite today, PostgreSQL with the same definitions.

Times are seconds since the epoch. What only people and the executor read is kept as JSON; what queries need
has a column.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "SCHEMA_VERSION",
    "UNKNOWN",
    "approvals",
    "labels",
    "ledger",
    "meta",
    "metadata",
    "quota_clocks",
    "quota_takes",
]

SCHEMA_VERSION = 2
"""1: the digests of arguments were plain SHA-256, from which a short sensitive value could be found out."""

UNKNOWN = "unknown"
"""The digest of arguments that nobody can compare any more: they count as equal to any."""

metadata = MetaData()

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))

approvals = Table(
    "approvals",
    metadata,
    # `seq` orders approvals of one key; clocks may not.
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("status", String, nullable=False),
    Column("tenant", String, nullable=False),
    Column("user", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("tool", String, nullable=False),
    Column("key", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("args_digest", String, nullable=False),
    Column("preview", String, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("superseded_by", String),
    Column("request", JSON, nullable=False),
    Column("answers", JSON, nullable=False),
    Index("approvals_scope", "tenant", "user", "agent", "tool", "key"),
    Index("approvals_status", "status", "expires"),
    sqlite_autoincrement=True,
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("user", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("tool", String, nullable=False),
    Column("key", String, nullable=False),
    Column("status", String, nullable=False),
    Column("args_digest", String, nullable=False),
    Column("ran_digest", String, nullable=False),
    Column("call_id", String, nullable=False),
    Column("session", String, nullable=False),
    Column("run", String, nullable=False),
    Column("approval", String),
    Column("owner", String, nullable=False),
    Column("outcome", JSON(none_as_null=True)),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("settled_by", String),
    Column("note", Text, nullable=False),
    UniqueConstraint("tenant", "user", "agent", "tool", "key", name="ledger_scope"),
    # An equal call is looked for among the open rows only, of which there are few.
    Index("ledger_status", "status", "tenant", "tool"),
    sqlite_autoincrement=True,
)

quota_takes = Table(
    "quota_takes",
    metadata,
    # Ids are never used twice, so giving back deletes the very take it was handed.
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("counter", String, nullable=False),
    Column("taken", Double, nullable=False),
    Index("quota_takes_counter", "counter", "taken"),
    sqlite_autoincrement=True,
)

quota_clocks = Table(
    "quota_clocks",
    metadata,
    Column("counter", String, primary_key=True),
    # The time of the latest take ever made, whether it was given back or not.
    Column("latest", Double, nullable=False),
)

labels = Table(
    "labels",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("session", String, primary_key=True),
    Column("label", String, primary_key=True),
)
