"""Policy rows in a table of SQLite or PostgreSQL (`toolcrib[sql]`).

The table is that of Casbin's SQLAlchemy adapters (`casbin_rule`: id, ptype, v0 … v5), so whatever writes
policy through such an adapter can go on doing so. It is not read through the adapter, though: `load_policy`
reads in no certain order, without ids, cuts a row at its first NULL, and hands it to a parser that drops
what it does not know. Here rows become the text that a file would hold, checked like one, and their ids are
its line numbers.

Whether anything has changed is asked twice a second, cheaply. SQLite counts the commits of others (`PRAGMA
data_version`). PostgreSQL's snapshot changes with every commit in the server; only if it has, is a digest
of the table taken, there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from toolcrib.errors import ConfigError, PolicyError
from toolcrib.policy._files import MAX_BYTES, read_text, replace_file
from toolcrib.policy._model import MODEL
from toolcrib.policy._origin import FolderOrigin, Texts
from toolcrib.policy._policy import MODEL_FILE, POLICY_FILE
from toolcrib.policy._problems import Problem, Unfit
from toolcrib.policy._rows import split_fields

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["TABLE", "SqlOrigin"]

T = TypeVar("T")

TABLE = "casbin_rule"
PATIENCE = 5.0
"""Seconds that connecting, or one statement, may take."""
MAX_ROWS = 2_000_000
_WIDTH = 6
_DIGEST = (
    "SELECT count(*) || ':' || coalesce(encode(sha256(convert_to("
    "string_agg(t::text, chr(10) ORDER BY id), 'UTF8')), 'hex'), '') FROM casbin_rule t"
)


class SqlOrigin:
    """The rows of a table; `model.conf` and the tests are those of `folder`, where it has them.

    `url` is `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER@HOST/DATABASE`. Raises `ConfigError`
    where `toolcrib[sql]` is not installed.
    """

    is_slow = True

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = _url(url), folder
        self.name = self._url.render_as_string(hide_password=True)
        self._files = FolderOrigin(folder)
        self._worker = _Worker()
        self._engine: AsyncEngine | None = None
        self._watch: AsyncConnection | None = None
        self._abandoned: list[object] = []
        self._opened = 0
        self._snapshot: tuple[str, str] = ("", "")

    # --- as an origin

    def look(self) -> Hashable:
        """What changes with the rows or the model; the error itself where the table cannot be reached."""
        try:
            rows: Hashable = self._run(self._version())
        except PolicyError as error:
            rows = str(error)
        return self._files.look(), rows

    def is_settled(self, seen: Hashable) -> bool:
        """A transaction is whole; the model's file may not be."""
        return isinstance(seen, tuple) and self._files.is_settled(seen[0])

    def read(self) -> Texts:
        """All rows, by id, as text; raises `PolicyError`."""
        if (self._folder / POLICY_FILE).exists():
            raise PolicyError(
                f"there are rows in {self._folder / POLICY_FILE} and in {self.name}",
                rule="a policy's rows are in one place",
                remedy="Move the file's rows into the table (`toolcrib policy import`), or take out url",
            )
        path = self._folder / MODEL_FILE
        model = read_text(path) if path.exists() else MODEL
        numbers, lines = self._run(self._rows())
        return Texts(model, _text(lines), TABLE, numbers, self._folder)

    def write(self, before: Texts | None, model: str, rows: str) -> Texts:
        """Make the table say what `rows` say, in one transaction: rows that stay keep their ids, and remarks
        have no place there. The model stays a file.
        """
        if model != (before.model if before else MODEL):
            replace_file(self._folder / MODEL_FILE, model)
        numbers, lines = self._run(self._write(before, rows))
        return Texts(model, _text(lines), TABLE, numbers, self._folder)

    def close(self) -> None:
        """Close the connections."""
        self._worker.close(self._dispose)

    # --- in the worker's loop

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._worker.begin():
            # Of the process that was forked. Collected as garbage, they would end its connections too.
            self._abandoned.append((self._engine, self._watch))
            self._engine = self._watch = None
        return self._worker.run(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        """Whatever a driver raises, as `PolicyError`; connections that it may have spoilt are given up."""
        try:
            return await asyncio.wait_for(work, PATIENCE * 6)
        except PolicyError:
            raise
        except Exception as error:
            await self._dispose()
            cause = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
            reason = str(cause).split("\n")[0] or type(error).__name__
            is_gone = isinstance(error, FileNotFoundError)
            first = (
                "Create it as an empty file first, so that no misspelt path becomes a policy"
                if is_gone
                else ""
            )
            raise PolicyError(
                f"the policy in {self.name} cannot be used: {reason}",
                rule=f"[policy] url names a database with a table {TABLE}",
                remedy=first
                or "See docs/reference/policy-sql.md; rows come in with `toolcrib policy import FILE`",
            ) from None

    async def _dispose(self) -> None:
        engine, watch, self._engine, self._watch = self._engine, self._watch, None, None
        for one in (watch.close() if watch else None, engine.dispose() if engine else None):
            if one is not None:
                with suppress(Exception):  # it is given up anyway
                    await asyncio.wait_for(one, PATIENCE)

    async def _connected(self) -> AsyncEngine:
        from sqlalchemy.ext.asyncio import create_async_engine

        inode = self._inode()
        if inode != self._opened:  # another file by the same name
            await self._dispose()
        if self._engine is None:
            self._opened = inode
            timeout = {"timeout": PATIENCE} | ({} if self._is_sqlite else {"command_timeout": PATIENCE})
            self._engine = create_async_engine(self._url, connect_args=timeout)
        return self._engine

    def _inode(self) -> int:
        """Of SQLite's file; raises `OSError` where there is none, since SQLite would make an empty one."""
        return Path(self._url.database or "").stat().st_ino if self._is_sqlite else 0

    @property
    def _is_sqlite(self) -> bool:
        return str(self._url.drivername).startswith("sqlite")

    async def _version(self) -> Hashable:
        engine = await self._connected()
        if self._watch is None or self._watch.closed:
            self._watch = await engine.execution_options(isolation_level="AUTOCOMMIT").connect()
            self._snapshot = ("", "")
        if self._is_sqlite:
            return self._opened, await _one(self._watch, "PRAGMA data_version")
        snapshot = str(await _one(self._watch, "SELECT pg_current_snapshot()"))
        if snapshot != self._snapshot[0]:
            # In this order: what is committed in between is seen by the next look.
            self._snapshot = (snapshot, str(await _one(self._watch, _DIGEST)))
        return self._snapshot[1]

    async def _rows(self) -> tuple[list[int], list[str]]:
        engine = await self._connected()
        async with engine.connect() as connection:
            return await self._rows_in(connection)

    async def _rows_in(self, connection: AsyncConnection) -> tuple[list[int], list[str]]:
        from sqlalchemy import select

        table = _table()
        found = await connection.execute(select(table).order_by(table.c.id).limit(MAX_ROWS + 1))
        return _exported(found.all(), self.name)

    async def _write(self, before: Texts | None, after: str) -> tuple[list[int], list[str]]:
        from casbin_async_sqlalchemy_adapter import Adapter
        from sqlalchemy import delete, insert, text

        engine = await self._connected()
        await Adapter(engine).create_table()
        table = _table()
        async with engine.begin() as connection:
            lock = f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE"
            await connection.execute(text("BEGIN IMMEDIATE" if self._is_sqlite else lock))
            if before is None:
                await connection.execute(delete(table))
            numbers, lines = await self._rows_in(connection)
            if before is not None and lines != _lines(before.rows):
                raise PolicyError(
                    f"{self.name} has changed in the meantime",
                    rule="a change is made to the policy that was shown",
                    remedy="Look at it again",
                )
            gone, new = _changes(numbers, lines, _lines(after))
            for start in range(0, len(gone), 500):
                await connection.execute(delete(table).where(table.c.id.in_(gone[start : start + 500])))
            if new:
                await connection.execute(insert(table), new)
            return await self._rows_in(connection)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _lines(rows: str) -> list[str]:
    """The rows of a text, written in one way."""
    found = (line.strip() for line in rows.split("\n"))
    return [", ".join(split_fields(line)) for line in found if line and line[0] != "#"]


def _changes(
    numbers: Sequence[int], old: Sequence[str], new: Sequence[str]
) -> tuple[list[int], list[dict[str, str | None]]]:
    """The ids to delete and the rows to insert."""
    gone: list[int] = []
    come: list[str] = []
    for what, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what != "equal":
            gone += numbers[i:j]
            come += new[k:m]
    return gone, [_columns(line) for line in come]


def _columns(line: str) -> dict[str, str | None]:
    kind, *values = split_fields(line)
    if len(values) > _WIDTH:
        raise PolicyError(f"a row of {len(values)} values", rule=f"{TABLE} has columns for {_WIDTH}")
    padded = [*values, *[None] * (_WIDTH - len(values))]
    return {"ptype": kind} | {f"v{index}": value for index, value in enumerate(padded)}


def _exported(rows: Iterable[Sequence[Any]], name: str) -> tuple[list[int], list[str]]:
    """Ids and lines; raises `PolicyError` for a row that no line could say as it stands."""
    numbers: list[int] = []
    lines: list[str] = []
    size = 0
    for number, *values in rows:
        try:
            line = _line(values)
        except Unfit as unfit:
            raise Problem(TABLE, number, 0, unfit.what, unfit.rule, unfit.remedy).error() from None
        size += len(line) + 1
        if size > MAX_BYTES or len(numbers) >= MAX_ROWS:
            raise PolicyError(
                f"the table in {name} is larger than {MAX_BYTES >> 20} MiB", rule="a policy is bounded"
            )
        numbers.append(number)
        lines.append(line)
    return numbers, lines


def _line(values: Sequence[Any]) -> str:
    fields = ["" if value is None else str(value).strip() for value in values]
    while len(fields) > 1 and not fields[-1]:
        fields.pop()
    if not fields[0] or fields[0][0] == "#":
        raise Unfit(f"ptype {fields[0]!r}", "every row of the table is a row of the policy", "Delete it")
    for field in fields:
        if "\n" in field or split_fields(field) != [field]:
            raise Unfit(
                f"{field!r}, which is more than one value",
                "a column holds one value, on one line",
                "Split it, or put the comma in brackets",
            )
    return ", ".join(fields)


async def _one(connection: AsyncConnection, statement: str) -> Any:
    from sqlalchemy import text

    return (await connection.execute(text(statement))).scalar_one()


def _table() -> Any:
    from casbin_async_sqlalchemy_adapter import CasbinRule

    return CasbinRule.__table__


def _url(text: str) -> Any:
    from sqlalchemy import make_url

    try:
        import aiosqlite  # noqa: F401
        import asyncpg  # noqa: F401
        import casbin_async_sqlalchemy_adapter  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"[policy] url needs {error.name}, which is not installed",
            rule="policy from a database is an extra",
            remedy="pip install 'toolcrib[sql]'",
        ) from error
    return make_url(text)


class _Worker:
    """An event loop in a thread of its own: the drivers are asynchronous, and their connections belong to a
    loop.
    """

    def __init__(self) -> None:
        self._pid = 0
        self._pool: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> bool:
        """Start if need be; True if this is a new beginning."""
        if self._pool is not None and self._pid == os.getpid():
            return False
        self._pid, self._loop = os.getpid(), asyncio.new_event_loop()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="toolcrib-policy-sql")
        return True

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine."""
        assert self._pool is not None and self._loop is not None
        return self._pool.submit(self._loop.run_until_complete, work).result()

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do `last`, and end."""
        pool, loop = self._pool, self._loop
        if pool is None or loop is None or self._pid != os.getpid():
            return
        self.run(last())
        self._pool = self._loop = None
        pool.shutdown()
        loop.close()
