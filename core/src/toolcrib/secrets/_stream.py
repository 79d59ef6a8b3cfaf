"""Cleans texts that come one after another, such as the progress of a tool."""

from __future__ import annotations

from toolcrib.secrets.redaction import Redactor

__all__ = ["Stream"]

REACH = 4096
"""Characters of what came before that are kept, to find a value that was cut in two."""


class Stream:
    """The chunks of one stream, each cleaned as it comes.

    Where a chunk ends in the beginning of a value, that beginning is cut already, and the rest with the next
    chunk. A value that comes in more pieces than `REACH` characters hold, or with the first of its pieces
    shorter than half a dozen characters, is cut from where it was recognised.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._before = ""

    def clean(self, chunk: str) -> str:
        """`chunk` without the values, also without its part of one that began before."""
        if not self._redactor.active:
            return chunk
        before, self._before = self._before, (self._before + chunk)[-REACH:]
        return self._redactor.clean_chunk(before, chunk)
