"""The locked end of the log: the one place that changes segment files.

Every commit takes two locks: a mutex against the threads of this process and a file lock against other
processes. It then looks whether others have written (the size tells), reads and checks what they wrote,
chains its own records on, writes, syncs, and lets go. Whatever fails, the file is cut back to the last
confirmed record before the file lock is released: a record is in the log whole and confirmed, or not at
all. An error leaves nothing behind that would refuse the next commit; it starts by reading the end afresh.

After `fork` the child must not use the parent's descriptors: a file lock belongs to the open file, so both
would hold it at once.
"""

from __future__ import annotations

import os
import platform
import socket
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from fcntl import LOCK_EX, LOCK_UN, flock
from os import fdatasync, fstat, write
from pathlib import Path
from typing import Any, TypeVar

from toolcrib._private import make_private
from toolcrib.audit._chain import GENESIS, Head, link, timestamp
from toolcrib.audit._errors import failed
from toolcrib.audit._record import canonical
from toolcrib.audit._segments import continued, name_of, numbers, sync_folder
from toolcrib.audit._tail import Tail, changed, grown, last_used, set_aside
from toolcrib.errors import AuditError
from toolcrib.os_user import system_user

__all__ = ["Store"]

T = TypeVar("T")

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_SEGMENT = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC

_stores: weakref.WeakSet[Store] = weakref.WeakSet()


class Store:
    """Appends canonical records to the segments in `folder`; safe among threads and among processes of one
    host.
    """

    def __init__(self, folder: Path, *, segment_bytes: int, sync: bool, writer: str | None) -> None:
        self.folder = folder
        self._limit, self._sync, self._given_writer = segment_bytes, sync, writer
        self._known = (
            GENESIS  # the furthest point that this process has seen; a log that ends before it was cut
        )
        self._reset()
        _stores.add(self)

    def _reset(self) -> None:
        """As if just made; also run in a forked child, whose locks and descriptors are its parent's."""
        self._mutex = threading.Lock()
        self._folder_fd = self._fd = -1
        self._number, self._size, self._head, self._next = 0, 0, GENESIS, False
        self._ready = -1  # the size at which a commit needs no catching up; -1: it does
        self._clock_is_back = False
        self._notes: list[bytes] = []
        self._opened = False
        self._writer = canonical(self._given_writer or f"{socket.gethostname()}:{os.getpid()}")

    # --- one commit ---------------------------------------------------------------------------------------

    def commit(self, records: Sequence[bytes]) -> tuple[int, bytes]:
        """Append `records` in this order, durably if so set up: the first one's number, and the written
        lines.

        Raises `AuditError`; then none of them is in the log.
        """
        return self._exclusively(self._append, records)

    def position(self) -> tuple[Head, str, int]:
        """Where the log ends now, other processes' records included: head, segment name, bytes in it."""
        return self._exclusively(self._position, ())

    def _exclusively(self, work: Callable[[Sequence[bytes]], T], records: Sequence[bytes]) -> T:
        """Run `work` at the true end of the log, with nobody else there. The hot path of `written` logs."""
        with self._mutex:
            try:
                if self._fd < 0:
                    self._open_folder()
                flock(self._folder_fd, LOCK_EX)
                try:
                    status = fstat(self._fd) if self._fd >= 0 else None
                    if status is None or status.st_size != self._ready or not status.st_nlink:
                        self._catch_up()
                    return work(records)
                finally:
                    flock(self._folder_fd, LOCK_UN)
            except OSError as error:
                self._drop()
                raise failed("write", self._path, error) from error
            except AuditError:
                self._drop()
                raise

    def _position(self, _: Sequence[bytes]) -> tuple[Head, str, int]:
        if self._notes:  # a torn line that was set aside just now must not stay untold
            self._append(())
        return self._head, name_of(self._number), self._size

    def close(self) -> None:
        """Let go of the files. A later commit opens them again."""
        with self._mutex:
            self._drop()

    def _append(self, records: Sequence[bytes]) -> tuple[int, bytes]:
        if not self._opened:
            self._note(event="opened", **_who())
            self._opened = True
        ts = timestamp(time.time_ns())
        if ts < self._head.ts:
            ts = self._hold_clock(ts)
        elif self._clock_is_back:
            self._clock_is_back = False
        first = self._head.seq + 1
        if self._notes:
            first += len(self._notes)
            records = [*self._notes, *records]
        data, head = link(self._head, records, self._number, ts, self._writer)
        self._write(data)
        self._head = self._known = head
        self._size += len(data)
        # The next commit need not look around while the file has just this size and there is room in it.
        self._ready = self._size if self._size < self._limit else -1
        self._notes = []
        return first, data

    def _write(self, data: bytes) -> None:
        """All of `data`, synced if so set up, or none: on an error the segment is cut back."""
        try:
            done = write(self._fd, data)
            while done < len(data):
                done += write(self._fd, data[done:])
            if self._sync:
                fdatasync(self._fd)
        except BaseException:
            os.ftruncate(self._fd, self._size)
            raise

    def _hold_clock(self, ts: bytes) -> bytes:
        """Time never goes backwards in the log: keep the last one, and note once what the clock says."""
        if not self._clock_is_back:
            self._clock_is_back = True
            self._note(event="clock went back", clock=ts.decode(), last=self._head.ts.decode())
        return self._head.ts

    def _note(self, **fields: Any) -> None:
        self._notes.append(canonical({"kind": "log", **fields}))

    # --- finding the end ----------------------------------------------------------------------------------

    @property
    def _path(self) -> Path:
        return self.folder / name_of(self._number) if self._number else self.folder

    def _open_folder(self) -> None:
        self._drop()
        if not self._known.seq:
            make_private(self.folder)
            sync_folder(self.folder.parent)
        self._folder_fd = os.open(self.folder, _FOLDER)

    def _drop(self) -> None:
        for descriptor in (self._fd, self._folder_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self._fd = self._folder_fd = self._ready = -1

    def _catch_up(self) -> None:
        """Bring segment, size and head up to the log's true end, mend a torn one, and leave room for one
        commit.
        """
        if self._fd < 0:
            self._find_end()
        status = fstat(self._fd)
        if not status.st_nlink:
            raise changed(self._path, "its segment was deleted while it was open")
        if status.st_size != self._size:
            self._read_growth(status.st_size)
        while self._next or self._size >= self._limit:
            if not self._next:
                self._roll()
            self._open_segment(self._number + 1)
            self._read_growth(fstat(self._fd).st_size)

    def _find_end(self) -> None:
        """From nothing: the last segment in use and what stands at its end."""
        there = numbers(self.folder)
        if there != list(range(1, len(there) + 1)):
            raise changed(self.folder, "a segment is missing")
        if not there:
            if self._known.seq:
                raise changed(self.folder, f"it is empty; record {self._known.seq} was there")
            self._create(1)
        number, found = last_used(self.folder, there or [1])
        self._open_segment(number)
        self._take(found)
        if self._head.seq < self._known.seq:
            raise changed(
                self._path, f"it ends at record {self._head.seq}; record {self._known.seq} was there"
            )

    def _read_growth(self, size: int) -> None:
        if size < self._size:
            raise changed(self._path, f"it was cut after record {self._head.seq} had been written")
        if size > self._size:
            self._take(grown(self._path, self._number, self._size, self._head))

    def _take(self, found: Tail) -> None:
        if found.torn:
            self._notes.append(canonical(set_aside(self._path, found, self._number)))
        self._head, self._size, self._next, self._ready = found.head, found.end, found.next is not None, -1
        self._known = max(self._known, found.head)

    # --- segments -----------------------------------------------------------------------------------------

    def _open_segment(self, number: int) -> None:
        descriptor = os.open(self.folder / name_of(number), _SEGMENT)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._number, self._size = descriptor, number, 0
        self._next, self._ready = False, -1

    def _create(self, number: int) -> None:
        """An empty segment whose name is durable."""
        path = self.folder / name_of(number)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        os.fsync(self._folder_fd)

    def _roll(self) -> None:
        """End this segment. The next one exists, durably, before any record names it, so a crash never
        leaves a name without a file.
        """
        self._create(self._number + 1)
        ts = max(timestamp(time.time_ns()), self._head.ts)
        data, head = link(self._head, [continued(self._number + 1)], self._number, ts, self._writer)
        self._write(data)
        fdatasync(self._fd)
        self._size += len(data)
        self._head = self._known = head
        self._next = True


def _who() -> dict[str, Any]:
    """Which process writes: what the log's first record of each process says."""
    return {
        "user": system_user(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "python": platform.python_version(),
    }


def _after_fork() -> None:
    for store in list(_stores):
        for descriptor in (store._fd, store._folder_fd):
            if descriptor >= 0:
                os.close(descriptor)
        store._reset()


os.register_at_fork(after_in_child=_after_fork)
