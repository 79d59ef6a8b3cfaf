"""The local provider: values encrypted in one file, beside the state of the crib.

It protects a value from being read over a shoulder, in a backup or in a repository that got the store but
not the key. Whoever can read the key file can read all values: use a vault where that is not good enough.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from toolcrib.errors import SecretError, SecretNotFound
from toolcrib.secrets._config import ProviderConfig
from toolcrib.secrets._files import locked, read_key, replace_file
from toolcrib.secrets._paths import check_path
from toolcrib.secrets._secret import Secret

__all__ = ["LocalProvider"]

NONCE_BYTES = 12
"""What AES-GCM takes (NIST SP 800-38D, 5.2.1.1: 96 bits)."""

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """`[secrets]` with `provider = "local"`."""


class LocalProvider:
    """Secrets in `folder/secrets.json`, each encrypted with AES-256-GCM under the key in `key_file`.

    Path and version are authenticated with the value, so a value moved to another path does not decrypt.
    Versions count from 1 and go on after a removal. Every method raises `SecretError`; files are made with
    mode 0600.

    Args:
        folder: The crib's state folder (`.toolcrib`).
        key_file: Default `folder/keys/secrets.key`; made on the first `put`.
    """

    def __init__(self, folder: Path, key_file: Path | None = None) -> None:
        self._store = folder / "secrets.json"
        self._key_file = key_file or folder / "keys" / "secrets.key"
        self._read: tuple[tuple[int, ...], dict[str, Entry]] | None = None

    @classmethod
    def from_config(cls, config: ProviderConfig) -> LocalProvider:
        """The store of this crib; `[secrets]` has no other settings."""
        config.parse(LocalSettings)
        return cls(config.folder)

    async def fetch(self, path: str) -> Secret:
        """The newest value at `path`."""
        return await asyncio.to_thread(self.get, path)

    async def close(self) -> None:
        """Nothing is on loan."""

    def get(self, path: str) -> Secret:
        """The same for callers without an event loop."""
        entry = self._entries().get(check_path(path), {})
        if "box" not in entry:
            raise SecretNotFound(
                f"there is no secret at {path!r}",
                rule=f"local secrets are kept in {self._store}",
                remedy=f"Store it with `toolcrib secrets set {path}`",
            )
        version = int(entry["version"])
        return Secret(self._decrypt(path, entry), path=path, version=version)

    def put(self, path: str, value: str) -> int:
        """Keep a new version; returns its number."""
        check_path(path)
        _check_value(path, value)
        with locked(self._store):
            entries = self._entries()
            # A store without its key was moved or half restored: a new key would strand what is in it.
            key = read_key(self._key_file, create=not any("box" in entry for entry in entries.values()))
            version = int(entries.get(path, {}).get("version", 0)) + 1
            self._write({**entries, path: _encrypt(key, path, version, value)})
        return version

    def remove(self, path: str) -> bool:
        """Forget the value; its version number is kept, so that no number ever names two values."""
        with locked(self._store):
            entries = self._entries()
            if not self.has(path):
                return False
            self._write({**entries, path: {"version": entries[path]["version"]}})
        return True

    def has(self, path: str) -> bool:
        """Whether there is a value at `path`."""
        return "box" in self._entries().get(check_path(path), {})

    def stored(self) -> dict[str, int]:
        """The version by path of all secrets that have a value."""
        return {
            path: int(entry["version"]) for path, entry in sorted(self._entries().items()) if "box" in entry
        }

    def _entries(self) -> dict[str, Entry]:
        """The store, read again only when the file has changed."""
        try:
            stat = self._store.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if self._read is None or self._read[0] != seen:
                self._read = (seen, _parse(self._store))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SecretError(
                f"{self._store} cannot be read: {error.strerror}",
                remedy="Look at the file and its owner; this process must be able to read it",
            ) from error
        return self._read[1]

    def _write(self, entries: dict[str, Entry]) -> None:
        data = {"v": 1, "secrets": entries}
        replace_file(self._store, orjson.dumps(data, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))

    def _decrypt(self, path: str, entry: Entry) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(read_key(self._key_file, create=False))
        try:
            box = b64decode(entry["box"], validate=True)
            plain = cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _bound(path, entry["version"]))
        except (InvalidTag, ValueError, TypeError):
            raise SecretError(
                f"the secret at {path!r} does not decrypt",
                rule=f"it was stored under the key in {self._key_file}, and bound to its path",
                remedy=f"Restore key and store together, or run `toolcrib secrets set {path}` again",
            ) from None
        return plain.decode()


def _check_value(path: str, value: str) -> None:
    if not value:
        raise SecretError(f"the value for {path!r} is empty", remedy="Give the value, or remove the secret")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise SecretError(
            f"the value for {path!r} is not text in UTF-8", remedy="Store it in base64"
        ) from None


def _encrypt(key: bytes, path: str, version: int, value: str) -> Entry:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    box = nonce + AESGCM(key).encrypt(nonce, value.encode(), _bound(path, version))
    return {"version": version, "box": b64encode(box).decode()}


def _bound(path: str, version: Any) -> bytes:
    """What is authenticated beside the value."""
    return f"toolcrib-secret:{path}:{version}".encode()


def _parse(store: Path) -> dict[str, Entry]:
    try:
        data = orjson.loads(store.read_bytes())
        if data["v"] != 1:
            raise ValueError(f"version {data['v']} is not 1")
        entries = data["secrets"]
        for entry in entries.values():
            int(entry["version"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SecretError(
            f"{store} is not a secret store ({type(error).__name__})",
            rule='the store is {"v": 1, "secrets": {PATH: {"version", "box"}}}',
            remedy="Restore it from a backup, or move it away and store the secrets again",
        ) from None
    return dict(entries)
