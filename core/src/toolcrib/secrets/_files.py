"""The files of the local provider: a private key, a lock, and writes that are whole or not there."""

from __future__ import annotations

import fcntl
import os
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolcrib._private import make_private
from toolcrib.errors import SecretError

__all__ = ["locked", "read_key", "replace_file"]

KEY_BYTES = 32
"""AES-256."""


def read_key(file: Path, *, create: bool) -> bytes:
    """The key; made where `create` is given and there is none. `SecretError` for one that others can read."""
    try:
        mode = file.stat().st_mode & 0o777
        text = file.read_text("ascii").strip()
    except FileNotFoundError:
        if create:
            return _new_key(file)
        raise SecretError(
            f"the key file {file} is missing",
            remedy="Restore it from where the store came, or store the secrets again",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"the key file {file} cannot be read: {error}") from None
    if mode & 0o077:
        raise SecretError(
            f"the key file {file} has mode {mode:04o}",
            rule="only its owner may read the key of the local secrets",
            remedy=f"Run `chmod 600 {file}`; if others could read it, change the secrets as well",
        )
    return _decode(text, file)


def _decode(text: str, file: Path) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretError(f"{file} does not hold a key", rule=f"it is {KEY_BYTES} bytes in base64")
    return key


def _new_key(file: Path) -> bytes:
    """Make the key file; where another process was faster, its key counts."""
    key = os.urandom(KEY_BYTES)
    try:
        make_private(file.parent)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_key(file, create=False)
    except OSError as error:
        raise SecretError(f"the key file {file} cannot be made: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as out:
        out.write(b64encode(key) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    return key


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Keep other processes from writing the same store; readers need no lock."""
    lock = store.with_suffix(".lock")
    try:
        make_private(store.parent)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SecretError(f"{lock} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_file(file: Path, data: bytes) -> None:
    """Write `data` whole or not at all, with mode 0600, and survive a power cut."""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(out.name).replace(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SecretError(f"{file} cannot be written: {error.strerror}") from error
