"""Who owns a ledger row: one process, as long as it lives.

Each opening of the state holds an exclusive `flock` on a file of its own. The kernel frees it when the
process ends, however that happens, so "is the lock free?" is the one question that says whether an owner is
dead: no heartbeat, no pid that could be used again. A child made by `fork` (not by `exec`: the file is closed
there) keeps the lock while it lives, which errs on the careful side.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Owner", "opening"]


class Owner:
    """This process as an owner; `id` is its pid and 48 random bits."""

    def __init__(self, owner_id: str, folder: Path, handle: int) -> None:
        self.id, self.folder, self._handle = owner_id, folder, handle

    @classmethod
    def register(cls, folder: Path) -> Owner:
        """Make and lock the lock file; raises `OSError`."""
        owner_id = f"{os.getpid()}-{secrets.token_hex(6)}"
        # Locked before it has its name: nobody can ever see it unlocked while this owner lives.
        nameless = folder / f".{owner_id}"
        handle = os.open(nameless, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        nameless.rename(_lock_file(folder, owner_id))
        return cls(owner_id, folder, handle)

    def is_dead(self, owner_id: str) -> bool:
        """Whether that owner's lock is free. A lock that may not be looked at counts as held."""
        if owner_id == self.id:
            return False
        try:
            handle = os.open(_lock_file(self.folder, owner_id), os.O_RDONLY)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            # Shared, so that two who look at once do not take each other for the owner.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        else:
            return True
        finally:
            os.close(handle)

    def sweep(self, keep: Collection[str]) -> None:
        """Delete the lock files of dead owners, except of those in `keep`."""
        for file in self.folder.glob("*.lock"):
            if file.stem not in keep and self.is_dead(file.stem):
                with suppress(OSError):
                    file.unlink()

    def release(self) -> None:
        """Give the lock up. Harmless when repeated."""
        if self._handle >= 0:
            with suppress(OSError):
                _lock_file(self.folder, self.id).unlink()
            os.close(self._handle)
            self._handle = -1


@contextmanager
def opening(folder: Path) -> Iterator[None]:
    """Hold the lock under which a database is made: switching SQLite to WAL does not wait for others by
    itself.
    """
    handle = os.open(folder / ".opening", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _lock_file(folder: Path, owner_id: str) -> Path:
    return folder / f"{owner_id}.lock"
