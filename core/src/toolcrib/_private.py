"""Folders that only their owner may enter."""

from __future__ import annotations

from pathlib import Path

__all__ = ["make_private"]


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
