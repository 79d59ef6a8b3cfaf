"""The SQLite file: opened, made, and used in transactions that are written wholly or not at all.

WAL lets readers go on while one writes. `synchronous=FULL` makes a commit survive a power cut: what the
ledger says happened before the tool ran must still be there afterwards. Writers say so at once (`BEGIN
IMMEDIATE`), so a transaction never fails half way for want of the write lock; within a process a lock puts
them in line, because SQLite's own waiting is polling, and not fair.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, select

from toolcrib._private import make_private
from toolcrib.errors import StateError, ToolcribWarning
from toolcrib.state import _tables as tables
from toolcrib.state._failures import locked, translated
from toolcrib.state._keying import DigestKey, hold_to, rekey
from toolcrib.state._owners import Owner, opening

__all__ = ["Database"]


class Database:
    """One open state database; see `State` for what is raised."""

    def __init__(
        self, engine: Engine, path: Path, owner: Owner, wait: float, clock: Callable[[], float]
    ) -> None:
        self.owner, self.now = owner, clock
        self._engine, self._writer = engine, engine.execution_options(toolcrib_begin="BEGIN IMMEDIATE")
        self._path, self._wait, self._pid = path, wait, os.getpid()
        self._line = threading.Lock()
        self._closed = False

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        busy_timeout: float,
        clock: Callable[[], float],
        key: DigestKey | None = None,
    ) -> Database:
        """Open or make `folder/state.db` and register an owner."""
        path = folder / "state.db"
        with translated(path, busy_timeout), ExitStack() as undo:
            owners = folder / "owners"
            make_private(owners)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's own files copy this mode
            owner = Owner.register(owners)
            undo.callback(owner.release)
            engine = _engine(path, busy_timeout)
            undo.callback(engine.dispose)
            database = cls(engine, path, owner, busy_timeout, clock)
            with opening(owners):
                database._make(key)
            undo.pop_all()
        return database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one consistent moment and writes nothing."""
        self._check()
        with translated(self._path, self._wait), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that has the write lock from its first moment; an exception rolls all of it back."""
        self._check()
        if not self._line.acquire(timeout=self._wait):
            raise locked(self._path, self._wait)
        try:
            with translated(self._path, self._wait), self._writer.begin() as connection:
                yield connection
        finally:
            self._line.release()

    @contextmanager
    def watching(self) -> Iterator[Callable[[], int]]:
        """A function whose value changes whenever any other connection, of any process, has committed
        (cheap).
        """
        self._check()
        with translated(self._path, self._wait):
            connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()

            def version() -> int:
                with translated(self._path, self._wait):
                    return int(cursor.execute("PRAGMA data_version").fetchone()[0])

            yield version
        finally:
            connection.close()

    def close(self) -> None:
        """Close all connections and give the owner lock up."""
        self._closed = True
        if self._pid == os.getpid():
            self._engine.dispose()
            self.owner.release()

    def _check(self) -> None:
        if self._closed:
            raise StateError("the state is closed", remedy="Open it again")
        if self._pid != os.getpid():
            raise StateError(
                "the state was opened before a fork",
                rule="SQLite connections do not survive a fork",
                remedy="Call State.open in the child process",
            )

    def _make(self, key: DigestKey | None) -> None:
        with self.write() as connection:
            tables.metadata.create_all(connection)
            found = connection.execute(
                select(tables.meta.c.value).where(tables.meta.c.key == "schema")
            ).scalar()
            if found is None:
                values = {"key": "schema", "value": str(tables.SCHEMA_VERSION)}
                connection.execute(insert(tables.meta).values(values))
            elif int(found) == 1 and key is not None:
                rekey(connection, key)
            elif int(found) != tables.SCHEMA_VERSION:
                older = int(found) < tables.SCHEMA_VERSION
                raise StateError(
                    f"the state database {self._path} has schema {found}",
                    rule=f"this Toolcrib reads schema {tables.SCHEMA_VERSION}",
                    remedy="Open it by its crib (`toolcrib doctor`), which brings it up to date"
                    if older
                    else "Use the Toolcrib version that wrote it, or a newer one",
                )
            told = hold_to(connection, key) if key is not None else ""
        if told:
            warnings.warn(ToolcribWarning(told), stacklevel=4)


def _engine(path: Path, wait: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={"timeout": wait, "isolation_level": None},  # we begin ourselves
        pool_timeout=max(wait, 1.0),
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("toolcrib_begin", "BEGIN"))
