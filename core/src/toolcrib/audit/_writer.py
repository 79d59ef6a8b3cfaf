"""`AuditLog`: what the rest of Toolcrib writes to.

One thread per log commits what has gathered since its last commit, with one fdatasync for all of it: while
the disk works, the next batch gathers. The thread knows no event loop; it answers each caller on the loop
that the caller came from, so several loops and plain threads may append at once. A caller that is cancelled
loses the answer, not the record: what was handed over is written.

With `durability="written"` there is no thread: the record is handed to the operating system in the calling
thread, in about the time that a thread switch would take. It survives the death of the process, not that of
the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import warnings
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toolcrib.audit._checkpoint import Checkpoint, place, sign
from toolcrib.audit._errors import RULE
from toolcrib.audit._keys import Signer, SigningKey, key_outside
from toolcrib.audit._record import encode
from toolcrib.audit._sinks import Dispatcher, Sink
from toolcrib.audit._store import Store
from toolcrib.errors import AuditError, ToolcribWarning

__all__ = ["AuditLog"]

_Waiter: TypeAlias = "asyncio.Future[str] | Future[str]"
_Item: TypeAlias = tuple[bytes, "_Waiter", "asyncio.AbstractEventLoop | None"]

_logs: weakref.WeakSet[AuditLog] = weakref.WeakSet()


class AuditLog:
    """The audit log in `folder`, for writing. Several logs, threads, event loops and processes may share
    one folder.

    `durability`: `fsync` returns when the record is on the disk, `written` when the operating system has
    it. `key` signs a checkpoint at `close` and on `checkpoint()`. `sinks` get every finished record.
    `writer` names this process in each record (default: host and process id). Nothing is opened before the
    first record.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durability: Literal["fsync", "written"] = "fsync",
        key: Signer | None = None,
        segment_bytes: int = 64 * 1024 * 1024,
        sinks: Sequence[Sink] = (),
        writer: str | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.durability = durability
        if isinstance(key, SigningKey):
            key_outside(key.path, self.folder)
        self._key = key
        self._inline = durability == "written"
        self._store = Store(self.folder, segment_bytes=segment_bytes, sync=not self._inline, writer=writer)
        self._given_sinks = tuple(sinks)
        self._closed = self._dirty = False
        self._start_afresh()
        _logs.add(self)

    def _start_afresh(self) -> None:
        """Threads and locks; also run in a forked child, where the parent's threads do not exist and its
        queue is not ours.
        """
        self._gate = threading.Lock()
        self._committer: _Committer | None = None
        self._sinks = Dispatcher(self._given_sinks)

    async def append(self, record: Mapping[str, Any]) -> str:
        """Write `record` and return its number in the log, as text, once it is as durable as this log
        promises.

        Raises `AuditError` if the record may not stand in the log or cannot be written; then it is not in
        the log. A cancelled caller's record is written all the same.
        """
        data = encode(record)
        if self._inline:
            return self._append_inline(data)
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[str] = loop.create_future()
        self._hand_over((data, waiter, loop))
        return await waiter

    def append_blocking(self, record: Mapping[str, Any]) -> str:
        """As `append`, for code without an event loop; blocks the calling thread."""
        data = encode(record)
        if self._inline:
            return self._append_inline(data)
        waiter: Future[str] = Future()
        self._hand_over((data, waiter, None))
        return waiter.result()

    def checkpoint(self, key: Signer | None = None, *, out: Path | None = None) -> Checkpoint:
        """Sign where the log stands now and keep that in `checkpoints/`, and also at `out`, from where it
        can be shipped.

        `key` defaults to the log's own; `AuditError` if there is none. It signs what the log *says*: verify
        it before.
        """
        key = key or self._key
        if key is None:
            raise AuditError(
                f"no checkpoint of audit log '{self.folder}' was made: there is no signing key",
                rule="a checkpoint is signed",
                remedy="Give the log a SigningKey",
            )
        if isinstance(key, SigningKey):
            key_outside(key.path, self.folder)
        checkpoint = sign(*self._store.position(), key)
        self._dirty = False
        checkpoint.write(place(self.folder, checkpoint))
        if out is not None:
            checkpoint.write(out)
        return checkpoint

    def close(self) -> None:
        """Finish what was handed over, sign a checkpoint if there is a key and something new, and let go of
        the files.

        Later appends raise `AuditError`. A checkpoint that cannot be written is a warning: the records are
        safe.
        """
        with self._gate:
            was_closed, self._closed = self._closed, True
        if was_closed:
            return
        if self._committer is not None:
            self._committer.stop()
        try:
            if self._key is not None and self._dirty:
                self.checkpoint()
        except AuditError as error:
            warnings.warn(str(error), ToolcribWarning, stacklevel=2)
        finally:
            self._sinks.close()
            self._store.close()

    def _append_inline(self, data: bytes) -> str:
        if self._closed:
            raise self._is_closed()
        first, lines = self._store.commit((data,))
        self._dirty = True
        self._sinks.tell(lines)
        return str(first)

    def _hand_over(self, item: _Item) -> None:
        committer = self._committer or self._start_committer()
        self._dirty = True
        if not committer.take(item):
            raise self._is_closed()

    def _start_committer(self) -> _Committer:
        with self._gate:
            if self._closed:
                raise self._is_closed()
            if self._committer is None:
                self._committer = _Committer(self._store, self._sinks)
                # Runs at the interpreter's end too, so records of callers who went away are not lost.
                weakref.finalize(self, self._committer.stop)
            return self._committer

    def _is_closed(self) -> AuditError:
        return AuditError(f"audit log '{self.folder}' is closed", rule=RULE, remedy="Open a new AuditLog")


class _Committer:
    """The writer thread, and what waits for it."""

    def __init__(self, store: Store, sinks: Dispatcher) -> None:
        self._store, self._sinks = store, sinks
        self._pid = os.getpid()
        self._items: list[_Item] = []
        self._lock = threading.Lock()
        self._wake = threading.Semaphore(0)
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="toolcrib-audit", daemon=True)
        self._thread.start()

    def take(self, item: _Item) -> bool:
        """Queue one record; False if the thread is ending. Only a batch's first wakes the thread."""
        with self._lock:
            if self._ending:
                return False
            self._items.append(item)
            is_first = len(self._items) == 1
        if is_first:
            self._wake.release()
        return True

    def stop(self) -> None:
        """Commit what is queued and end the thread."""
        if self._pid != os.getpid() or threading.current_thread() is self._thread:
            return
        with self._lock:
            self._ending = True
        self._wake.release()
        self._thread.join()

    def _run(self) -> None:
        ending = False
        while not ending:
            self._wake.acquire()
            with self._lock:
                batch, self._items = self._items, []
                ending = self._ending
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[_Item]) -> None:
        try:
            first, lines = self._store.commit([item[0] for item in batch])
        except AuditError as error:
            _answer(batch, error)
        except BaseException as error:
            # A bug here must not leave callers waiting for ever, nor let them think that it is written.
            what = f"audit log '{self._store.folder}': {error!r}"
            _answer(batch, AuditError(what, rule=RULE, remedy="Report this as a bug"))
        else:
            _answer(batch, first)
            self._sinks.tell(lines)


def _answer(batch: list[_Item], answer: int | AuditError) -> None:
    """Tell every caller, with one wake-up per loop. `answer` is the first one's number, or the error."""
    loops = {item[2] for item in batch}
    for loop in loops:
        told = [(item[1], offset) for offset, item in enumerate(batch) if item[2] is loop]
        if loop is None:
            _settle(told, answer)
        else:
            with contextlib.suppress(
                RuntimeError
            ):  # the loop is closed: its callers are gone, the records stand
                loop.call_soon_threadsafe(_settle, told, answer)


def _settle(told: list[tuple[_Waiter, int]], answer: int | AuditError) -> None:
    for waiter, offset in told:
        if waiter.done():
            continue  # the caller went away
        if isinstance(answer, int):
            waiter.set_result(str(answer + offset))
        else:
            waiter.set_exception(AuditError(answer.what, rule=answer.rule, remedy=answer.remedy))


def _after_fork() -> None:
    for log in list(_logs):
        log._start_afresh()


os.register_at_fork(after_in_child=_after_fork)
