"""Folders that only their owner may enter, and files that only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["make_private", "write_private"]


def make_private(folder: Path) -> None:
    """Make `folder`, and whatever is missing above it, with mode 0700; one that is there stays as it is.

    `Path.mkdir(mode=..., parents=True)` gives its mode to the last folder only. With a generous umask others
    could then replace the state database or the log by their own, however private the files in them are.
    Raises `OSError`.
    """
    if not folder.is_dir():
        if folder.parent != folder:
            make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """Write a file with mode 0600, whole or not at all, whoever else writes the same; raises `OSError`.

    For what can be made again: it is not forced to the disk.
    """
    make_private(path.parent)
    partial = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
