"""Files that are there whole, or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from toolcrib.errors import NotSent

__all__ = ["read", "write_once"]


def write_once(file: Path, data: bytes) -> None:
    """Write `data` durably under a name that nothing else bears; mode 0600.

    `NotSent` where it did not come to the name. An error after that is left as it is: the file may be there
    or not after a power cut, and only a look will tell.
    """
    part = file.with_name(f".{file.name}.{uuid.uuid4().hex}.part")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(part, data)
        part.replace(file)
    except OSError as error:
        _discard(part)
        raise NotSent(
            f"{file.name} could not be written: {error.strerror}",
            remedy="See the disk and the folder's owner",
        ) from error
    _sync_folder(file.parent)


def read(file: Path) -> bytes | None:
    """The file's bytes, None if there is none; `NotSent` where it cannot be read."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # a caller reads before it writes, so nothing has happened yet
        raise NotSent(
            f"{file.name} could not be read: {error.strerror}", remedy="See the folder's owner"
        ) from error


def _write(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _discard(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError:
        return  # what hindered the writing hinders this too


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
