"""What SQLite says when it cannot, told as `StateError` with a remedy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from toolcrib.errors import StateError

__all__ = ["locked", "translated"]

FREE_SPACE = "Make room on that disk, then try again; nothing was written"
RESTORE = (
    "Stop all processes of this crib, move the file and its -wal and -shm files aside and restore a backup; "
    "without one, check what the last calls did before starting with an empty state"
)
MENDING = {  # primary result codes, https://sqlite.org/rescode.html
    sqlite3.SQLITE_FULL: ("is on a full disk", FREE_SPACE),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written by the system",
        "Look after the disk; nothing was written",
    ),
    sqlite3.SQLITE_READONLY: ("is read-only", "Make the file and its folder writable for this user"),
    sqlite3.SQLITE_PERM: ("may not be opened", "Make the file and its folder writable for this user"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Make the file and its folder writable for this user"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", RESTORE),
    sqlite3.SQLITE_NOTADB: ("is not a database, or is damaged", RESTORE),
}


@contextmanager
def translated(path: Path, wait: float) -> Iterator[None]:
    """Raise `StateError` instead of what SQLAlchemy or the system raises about the database at `path`."""
    try:
        yield
    except PoolTimeoutError as error:
        raise locked(path, wait) from error
    except DBAPIError as error:
        raise _from_sqlite(path, wait, error.orig) from error
    except StatementError as error:  # a value that does not go into its column
        raise StateError(
            f"a value cannot be stored as JSON: {error.orig}", remedy="Pass JSON-compatible values"
        ) from error
    except (SQLAlchemyError, OSError) as error:
        raise StateError(
            f"the state database {path} cannot be used: {error}",
            remedy="Make its folder writable for this user",
        ) from error


def locked(path: Path, wait: float) -> StateError:
    """Somebody else has been writing for longer than we wait."""
    return StateError(
        f"the state database {path} is locked by another process",
        rule=f"a writer waits {wait:g} s",
        remedy="Try again; if it stays so, find who holds it (`fuser` names the process)",
        retry_after=1.0,
    )


def _from_sqlite(path: Path, wait: float, error: BaseException | None) -> StateError:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return locked(path, wait)
    what, remedy = MENDING.get(primary, ("cannot be used", "`toolcrib doctor` looks after the state"))
    return StateError(f"the state database {path} {what} ({error})", remedy=remedy)
