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
from typing import Any, Literal

import orjson

from toolcrib.errors import SecretChanged, SecretError, SecretNotFound
from toolcrib.secrets._config import ProviderConfig
from toolcrib.secrets._files import locked, replace_file
from toolcrib.secrets._local_keys import KEY_BYTES, KeyFile, KeyHolder, KeyringKey
from toolcrib.secrets._paths import check_path
from toolcrib.secrets._secret import Secret
from toolcrib.secrets._status import ProviderStatus

__all__ = ["LocalProvider"]

NONCE_BYTES = 12
"""What AES-GCM takes (NIST SP 800-38D, 5.2.1.1: 96 bits)."""

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """`[secrets]` with `provider = "local"`: where the key is, in a 0600 file or in the system's keyring."""

    key: Literal["file", "keyring"] = "file"


class LocalProvider:
    """Secrets in `folder/secrets.json`, each encrypted with AES-256-GCM under one key.

    Path and version are authenticated with the value, so a value moved to another path does not decrypt.
    Versions count from 1 and go on after a removal. Every method raises `SecretError`; files are made with
    mode 0600.

    Args:
        folder: The crib's state folder (`.toolcrib`).
        key_file: Where the key is; default `folder/keys/secrets.key`. Made on the first `put`.
        keyring: The key is in the system's keyring instead, under the folder's full path.
    """

    def __init__(self, folder: Path, key_file: Path | None = None, *, keyring: bool = False) -> None:
        self._store = folder / "secrets.json"
        held: tuple[KeyHolder, KeyHolder] = (
            KeyFile(key_file or folder / "keys" / "secrets.key"),
            KeyringKey(folder),
        )
        self._key, self._other_key = reversed(held) if keyring else held
        self._read: tuple[tuple[int, ...], dict[str, Entry]] | None = None

    @classmethod
    def from_config(cls, config: ProviderConfig) -> LocalProvider:
        """The store of this crib, with its key where `[secrets] key` says."""
        return cls(config.folder, keyring=config.parse(LocalSettings).key == "keyring")

    async def fetch(self, path: str) -> Secret:
        """The newest value at `path`."""
        return await asyncio.to_thread(self.get, path)

    async def replace(self, old: Secret, value: str) -> Secret:
        """Store the next version, if `old` is the newest; else `SecretChanged`."""
        version = await asyncio.to_thread(self.put, old.path, value, after=old.version)
        return Secret(value, path=old.path, version=version)

    async def status(self) -> ProviderStatus:
        """The store and where its key is; `SecretError` where the key does not open what is stored."""
        return await asyncio.to_thread(self._status)

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
        value = self._decrypt(path, entry, self._read_key(create=False))
        return Secret(value, path=path, version=version)

    def put(self, path: str, value: str, *, after: int | str | None = None) -> int:
        """Keep a new version; returns its number. With `after`, only if that is the newest one."""
        check_path(path)
        _check_value(path, value)
        with locked(self._store):
            entries = self._entries()
            # A store without its key was moved or half restored: a new key would strand what is in it.
            key = self._read_key(create=not any("box" in entry for entry in entries.values()))
            entry = entries.get(path, {})
            if after is not None and (entry.get("version") != after or "box" not in entry):
                raise SecretChanged(
                    f"the secret at {path!r} is no longer at version {after}",
                    rule="a version is followed by one other",
                    remedy="Fetch it again, and use what is there",
                )
            version = int(entry.get("version", 0)) + 1
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

    def move_key(self) -> str | None:
        """Bring the key to where this provider looks for it, from the other place; says from where.

        None if it is here already. A key that does not open every stored value stays where it is.
        """
        with locked(self._store):
            if self._key.find() is not None:
                return None
            key = self._other_key.find()
            if key is None:
                raise self._key.missing("Store the secrets again")
            for path, entry in self._entries().items():
                if "box" in entry:
                    self._decrypt(path, entry, key)
            self._key.keep(key)
            self._other_key.forget()
        return self._other_key.place

    def _status(self) -> ProviderStatus:
        boxes = [(path, entry) for path, entry in self._entries().items() if "box" in entry]
        if boxes:  # one is enough: the key is one for all
            self._decrypt(*boxes[0], self._read_key(create=False))
        return ProviderStatus(
            "local", f"{self._store} ({len(boxes)} stored)", f"the key in {self._key.place}"
        )

    def _read_key(self, *, create: bool) -> bytes:
        key = self._key.find()
        if key is None and create:
            key = self._key.keep(os.urandom(KEY_BYTES))
        if key is None:
            there = self._other_key.place
            raise self._key.missing(
                f"Bring it here with `toolcrib secrets move-key`: it is in {there}"
                if self._other_key.there()
                else "Restore it from where the store came, or store the secrets again"
            )
        return key

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

    def _decrypt(self, path: str, entry: Entry, key: bytes) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(key)
        try:
            box = b64decode(entry["box"], validate=True)
            plain = cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _bound(path, entry["version"]))
        except (InvalidTag, ValueError, TypeError):
            raise SecretError(
                f"the secret at {path!r} does not decrypt",
                rule=f"it was stored under the key in {self._key.place}, and bound to its path",
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
