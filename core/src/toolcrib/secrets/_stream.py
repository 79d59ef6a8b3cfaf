"""Cleans texts that come one after another, such as the progress of a tool."""

from __future__ import annotations

from toolcrib.secrets._shapes import LONGEST
from toolcrib.secrets.redaction import Redactor

__all__ = ["Stream"]

REACH = 4096
"""Bytes of what came before that are kept, to find a value that was cut in two."""


class Stream:
    """The chunks of one stream, each cleaned as it comes; `rest` gives what is held back at the end.

    Where a chunk ends in the beginning of a value, that beginning is cut already, and the rest with the next
    chunk. What may become a token (`ghp_16C7`) is held back, until the next chunk shows whether it is one;
    no token is longer than `LONGEST` bytes, so no more is held. The first half dozen characters of a value,
    and the first three of a token, are no sign of it and pass.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._before = self._held = b""

    def clean(self, chunk: str) -> str:
        """`chunk` without the values, also without its part of one that began before."""
        return self._next(chunk) if self._redactor.active else chunk

    def rest(self) -> str:
        """What was held back, now that no more is to come."""
        return self._next("", last=True) if self._held else ""

    def _next(self, chunk: str, *, last: bool = False) -> str:
        piece = self._held + chunk.encode("utf-8", "surrogatepass")
        told, self._held, raw, since = self._redactor.clean_piece(self._before, piece, last=last)
        since = max(min(since, len(raw) - REACH), len(raw) - LONGEST, 0)
        while since and since < len(raw) and raw[since] & 0xC0 == 0x80:
            since -= 1  # whole characters
        self._before = raw[since:]
        return told
