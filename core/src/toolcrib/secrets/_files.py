"""The files of the local provider: a lock, and writes that are whole or not there."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolcrib._private import make_private
from toolcrib.errors import SecretError

__all__ = ["locked", "replace_file"]


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
