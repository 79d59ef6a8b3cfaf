"""API keys: shown once, kept as a hash, for one user, one tenant and named agents.

A key's secret half is 256 random bits. Nobody can guess through that many, so one SHA-256 is enough to keep
it, and quick enough to check with each call; slow hashes are for what people think up. The other half is its
name, by which it is found, listed and revoked. Hashes are compared in constant time, and a name that does
not exist costs the same comparison.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolcrib._private import make_private
from toolcrib.errors import ConfigError, NotAuthenticated, StateError
from toolcrib.identity._caller import ANY, Caller
from toolcrib.principal import NOBODY, check_id

__all__ = ["PREFIX", "ApiKey", "ApiKeys"]

PREFIX = "tck_"
"""What every key begins with, so that scanners and redaction know one."""

_KEY = re.compile(r"tck_([a-z2-7]{12})_([A-Za-z0-9_-]{43})")
_NOTHING = "0" * 64

_TABLE = """create table if not exists keys (
    name text primary key, digest text not null, user text, tenant text not null, agents text not null,
    created real not null, expires real, revoked real, note text not null)"""
_COLUMNS = "name, user, tenant, agents, created, expires, revoked, note"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, without its secret; times in `time.time()` seconds."""

    name: str
    user: str | None
    tenant: str
    agents: tuple[str, ...]
    created: float
    expires: float | None
    revoked: float | None
    note: str

    def ended(self, now: float) -> str:
        """`revoked`, `expired`, or nothing."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else ""


class ApiKeys:
    """The keys in `folder/api-keys.db`, shared by processes; every method raises `StateError` where that
    cannot be read or written.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._file, self._clock = folder / "api-keys.db", clock

    def create(
        self,
        *,
        user: str | None,
        tenant: str,
        agents: tuple[str, ...],
        lifetime: float | None = None,
        note: str = "",
        before: Callable[[ApiKey], None] = lambda _: None,
    ) -> tuple[ApiKey, str]:
        """A new key, and its text, which is shown this once; `lifetime` is in seconds. `before` is told of it
        while it is not good yet, and can stop it by raising. `ConfigError` for ids that are none.
        """
        for agent in agents:
            _ = agent == ANY or check_id("agent", agent)
        if user is not None and (check_id("user", user) == NOBODY):
            raise ConfigError(f"user {NOBODY!r} is reserved", remedy="Leave the user out instead")
        if not agents:
            raise ConfigError("a key needs at least one agent", remedy=f"Name agents, or {ANY!r} for any")
        name = base64.b32encode(secrets.token_bytes(8))[:12].decode().lower()
        text = f"{PREFIX}{name}_{secrets.token_urlsafe(32)}"
        now = self._clock()
        expires = None if lifetime is None else now + lifetime
        key = ApiKey(name, user, check_id("tenant", tenant), agents, now, expires, None, note[:200])
        before(key)
        row = (name, _digest(text), user, tenant, json.dumps(agents), now, expires, None, key.note)
        with self._open(create=True) as database:
            database.execute("insert into keys values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return key, text

    def all(self) -> list[ApiKey]:
        """Every key, the newest first; ended ones too."""
        with self._open() as database:
            rows = database.execute(f"select {_COLUMNS} from keys order by created desc").fetchall()  # noqa: S608
        return [_key(row) for row in rows]

    def revoke(self, name: str) -> ApiKey:
        """End the key at once, in every process; `ConfigError` if there is none. Harmless when repeated."""
        with self._open() as database:
            database.execute(
                "update keys set revoked = coalesce(revoked, ?) where name = ?", (self._clock(), name)
            )
            found = self._find(database, name)
        return self._there(name, found)

    def get(self, name: str) -> ApiKey:
        """The key of this name; `ConfigError` if there is none."""
        with self._open() as database:
            return self._there(name, self._find(database, name))

    @staticmethod
    def _there(name: str, found: tuple[ApiKey, str] | None) -> ApiKey:
        if found is None:
            raise ConfigError(f"there is no key {name[:40]!r}", remedy="See `toolcrib keys list`")
        return found[0]

    def caller(self, text: str) -> Caller:
        """Who the key stands for; `NotAuthenticated` for a key that is wrong, expired or revoked."""
        match = _KEY.fullmatch(text)
        found = None
        if match is not None:
            with self._open() as database:
                found = self._find(database, match[1])
        right = hmac.compare_digest(found[1] if found else _NOTHING, _digest(text))
        if found is None or not right:
            raise NotAuthenticated(
                "the API key is not known here",
                rule="a key is one that `toolcrib keys create` made for this crib",
                remedy="Check that it was passed whole, or ask for a new one",
            )
        key = found[0]
        if ended := key.ended(self._clock()):
            raise NotAuthenticated(
                f"the API key {key.name} is {ended}", rule="keys end", remedy="Ask for a new one"
            )
        return Caller(key.user, key.tenant, frozenset(key.agents), f"the API key {key.name}")

    @staticmethod
    def _find(database: sqlite3.Connection, name: str) -> tuple[ApiKey, str] | None:
        row = database.execute(
            f"select {_COLUMNS}, digest from keys where name = ?",  # noqa: S608
            (name,),
        ).fetchone()
        return (_key(row[:-1]), row[-1]) if row else None

    @contextmanager
    def _open(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            if create:
                make_private(self._file.parent)
                os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
            there = self._file.exists()
            with (
                closing(sqlite3.connect(self._file if there else ":memory:", timeout=10)) as database,
                database,
            ):
                database.execute(_TABLE)
                yield database
        except (sqlite3.Error, OSError) as error:
            raise StateError(
                f"the API keys in {self._file} cannot be read or written: {error}",
                remedy="Check its permissions and the disk; while it is so, no key is accepted",
            ) from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _key(row: tuple[str, str | None, str, str, float, float | None, float | None, str]) -> ApiKey:
    name, user, tenant, agents, created, expires, revoked, note = row
    return ApiKey(name, user, tenant, tuple(json.loads(agents)), created, expires, revoked, note)
