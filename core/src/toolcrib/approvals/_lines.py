"""Reading a person's lines in a way that another thread can end: a prompt must go when the question was
answered elsewhere.
"""

from __future__ import annotations

import os
import select
import threading
import time
from typing import TextIO

__all__ = ["Lines", "Stopped"]


class Stopped(Exception):
    """The prompt was ended from outside."""


class Lines:
    """Lines of `stream`, read from its file descriptor; one without (`io.StringIO`) is simply read."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._rest = stream, b""
        self._wake: int | None = None
        self._guard = threading.Lock()
        try:
            self._handle: int | None = stream.fileno()
        except (OSError, AttributeError):
            self._handle = None

    def forget_typed(self) -> None:
        """Drop what was typed before the question was shown: it cannot have been meant for it. Terminals
        only.
        """
        if self._handle is not None and os.isatty(self._handle):
            import termios

            self._rest = b""
            termios.tcflush(self._handle, termios.TCIFLUSH)

    def read(self, stopped: threading.Event, seconds: float) -> str | None:
        """The next line, None at the end of the input; raises `Stopped` when `stopped` is set or after
        `seconds`.
        """
        if self._handle is None:
            return self._stream.readline() or None
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            chunk = self._chunk(self._handle, stopped, end)
            if not chunk:
                break
            self._rest += chunk
        line, found, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace") if line or found else None

    def wake(self) -> None:
        """Make a `read` in another thread look at its `stopped`."""
        with self._guard:
            if self._wake is not None:
                os.write(self._wake, b".")

    def _chunk(self, handle: int, stopped: threading.Event, end: float) -> bytes:
        woken, wake = os.pipe()
        with self._guard:
            self._wake = wake
        try:
            # Looked at after `wake` can reach us: a stop between the two is not lost.
            while not stopped.is_set():
                ready, _, _ = select.select([handle, woken], [], [], max(0.0, end - time.monotonic()))
                if not ready:
                    break
                if handle in ready and not stopped.is_set():
                    return os.read(handle, 65536)
                os.read(woken, 1)
            raise Stopped
        finally:
            with self._guard:
                self._wake = None
            os.close(woken)
            os.close(wake)
