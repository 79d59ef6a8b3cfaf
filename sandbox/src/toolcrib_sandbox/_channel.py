"""The attached stream of one container: what the engine multiplexes, taken apart and bounded."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import Any

__all__ = ["Channel", "ChannelClosed"]

_HEADER = struct.Struct(">BxxxI")
_STDOUT = 1
_COMPLAINT_BYTES = 4096
_CHUNK = 1 << 16


class ChannelClosed(Exception):
    """The container, or the engine, is gone."""


class Channel:
    """Bytes to pid 1 and from it. `complaint` is the beginning of what it wrote to stderr, which is only ever
    why it could not start.
    """

    def __init__(self, attached: Any) -> None:
        # The SDK hands out a raw reader around the socket for local engines, the socket itself for others.
        self._attached = attached
        self._socket: Any = getattr(attached, "_sock", attached)
        self._raw, self._buffer = bytearray(), bytearray()
        self._left, self._stream = 0, _STDOUT
        self.complaint = b""

    def send(self, *parts: bytes, deadline: float) -> None:
        """Send everything, before `deadline` (monotonic)."""
        if sum(map(len, parts)) <= _CHUNK:
            parts = (b"".join(parts),)  # each piece is a way through the engine of its own
        try:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            for part in parts:
                self._socket.sendall(part)
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosed from error

    def read(self, size: int, deadline: float) -> bytes:
        """Exactly `size` bytes of pid 1's stdout; `TimeoutError` when they are not there by `deadline`."""
        while len(self._buffer) < size:
            self._demultiplex()
            if len(self._buffer) < size:
                self._raw += self._receive(deadline)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _demultiplex(self) -> None:
        """Take apart what has come: beyond what is asked for, no more than one chunk is ever held."""
        raw = self._raw
        while raw:
            if not self._left:
                if len(raw) < _HEADER.size:
                    return
                self._stream, self._left = _HEADER.unpack_from(raw)
                del raw[: _HEADER.size]
            data = bytes(raw[: self._left])
            del raw[: len(data)]
            self._left -= len(data)
            if self._stream == _STDOUT:
                self._buffer += data
            else:
                self.complaint += data[: _COMPLAINT_BYTES - len(self.complaint)]

    def _receive(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        try:
            self._socket.settimeout(left)
            data: bytes = self._socket.recv(_CHUNK)
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosed from error
        if not data:
            raise ChannelClosed
        return data

    @property
    def is_open(self) -> bool:
        """Whether pid 1 is still there; one that waits says nothing, so whatever is to be read is its end."""
        if self._raw or self._buffer or self._left:
            return False
        try:
            self._socket.settimeout(0.0)
            self._socket.recv(1)
            return False
        except (BlockingIOError, TimeoutError):
            return True
        except OSError as error:
            import ssl

            return isinstance(error, ssl.SSLWantReadError)

    def close(self) -> None:
        """End the container: pid 1 reads the end of its stdin. Unblocks whoever reads here."""
        with contextlib.suppress(OSError, AttributeError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._attached.close()
        with contextlib.suppress(OSError):
            self._socket.close()
