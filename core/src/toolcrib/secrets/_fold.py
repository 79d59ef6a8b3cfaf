"""One form for texts that differ only in how they were written down, and the way back to the original.

Folding drops what encoders and printers put between the characters of a value (line breaks, indentation,
quotes, backslashes, the punctuation of JSON) and what they choose freely (letter case, the two alphabets of
base64). It works byte by byte, so the folded form of a text that holds a value holds the folded value: one
search then finds it wrapped, indented, escaped at any depth of JSON in JSON, in hex of either case.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

__all__ = ["BORDER", "DROPPED", "Folded", "fold", "fold_small", "tight", "unbroken"]

BORDER = b"\x1e"
"""Stands between the fields of one document; folded away, so that a value cut over list entries is found."""

DROPPED = b" \t\r\n\\\"',[]{}:" + BORDER
"""What folding drops."""

_FOLDED = bytes(byte + 32 if 65 <= byte <= 90 else {43: 45, 47: 95}.get(byte, byte) for byte in range(256))
_BLOCK = 8 * 1024
"""What is folded at once: the smaller, the quicker is the way back from a find."""

_TOGETHER = 8
"""Blocks that are searched at once: as many as fit into the cache, and bound the list of finds."""


def fold(data: bytes) -> bytes:
    """`data` in lower case, without what stands between the characters of a value."""
    return data.translate(_FOLDED, DROPPED)


def fold_small(data: bytes) -> bytes | None:
    """`data` folded in one piece, as nearly every record can be; None where it is more than a block."""
    return data.translate(_FOLDED, DROPPED) if len(data) <= _BLOCK else None


def tight(data: bytes) -> bytes:
    """`data` folded, but with its blanks and punctuation: how a short value must stand to be taken for it."""
    return data.translate(_FOLDED, b"\\\r\n")


def unbroken(data: bytes) -> bytes | None:
    r"""`data` with real line breaks where it has `\n` in two characters, at the same offsets; None without
    any.
    """
    if b"\\" not in data or (b"\\n" not in data and b"\\r" not in data):
        return None
    return data.replace(b"\\n", b"\n\n").replace(b"\\r", b"\n\n")


class Folded:
    """`data` folded block by block, so that each is searched while it is in the cache, with the way back."""

    __slots__ = ("_blocks", "_starts", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        if len(data) <= _BLOCK:  # nearly every record, and this is on the way of every call
            block = fold(data)
            self._blocks, self._starts = [block], [0, len(block)]
            return
        self._blocks = [fold(data[start : start + _BLOCK]) for start in range(0, len(data), _BLOCK)]
        self._starts = list(accumulate(map(len, self._blocks), initial=0))

    def pieces(self, overlap: int) -> Iterator[tuple[int, bytes]]:
        """The whole in pieces, each with its offset; all but the last reach `overlap` bytes into the next."""
        for number in range(0, len(self._blocks), _TOGETHER):
            group = self._blocks[number : number + _TOGETHER]
            end = self._starts[number + len(group)]
            if end < self._starts[-1]:
                group.append(self.slice(end, end + overlap))
            yield self._starts[number], b"".join(group)

    def slice(self, start: int, end: int) -> bytes:
        """`[start, end)` of the folded text, as far as there is such."""
        start, end = max(0, start), min(end, self._starts[-1])
        number = bisect_right(self._starts, start) - 1
        out = b""
        while start + len(out) < end:
            at = start + len(out)
            out += self._blocks[number][at - self._starts[number] : end - self._starts[number]]
            number += 1
        return out

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of `data` whose folded form is `[start, end)`; whole characters where it is UTF-8."""
        block = bisect_right(self._starts, start) - 1
        first = self._after(block * _BLOCK, start - self._starts[block] + 1) - 1
        last = self._after(first, end - start)
        while first > 0 and self.data[first] & 0xC0 == 0x80:
            first -= 1
        while last < len(self.data) and self.data[last] & 0xC0 == 0x80:
            last += 1
        return first, last

    def region(self, at: int) -> tuple[int, int]:
        """A part of `data` in which the folded byte `at` stands, found without counting."""
        block = bisect_right(self._starts, at) - 1
        return block * _BLOCK, (block + 1) * _BLOCK

    def _after(self, position: int, kept: int) -> int:
        """Where in `data`, from `position` on, so many bytes were kept."""
        while kept:
            step = self.data[position : position + kept]
            position += len(step)
            kept -= len(step.translate(None, DROPPED))
        return position
