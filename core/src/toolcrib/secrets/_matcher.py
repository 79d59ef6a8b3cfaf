"""Finds any of thousands of values in one pass.

A DFA of whole values would be slow to build and too large for the processor's cache. So it is one of
*anchors*, eight bytes of each value that hardly stand elsewhere, and whoever finds an anchor compares the
value around it. A long value (a key, a certificate) has an anchor every few dozen bytes, and a fragment of it
counts too: one line of a key is a part of the key.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from ahocorasick_rs import BytesAhoCorasick, Implementation

from toolcrib.secrets._encodings import SHORTEST
from toolcrib.secrets._fold import _BLOCK, DROPPED, Folded, fold, tight

__all__ = ["Anchored", "Automaton", "Found", "Mark", "Pattern", "anchored", "patterns_of"]

ANCHOR = 8
"""Bytes of an anchor; a shorter value is its own."""

LOOSE = 16
"""Folded bytes from which a value may have blanks and punctuation in between; below, chance would do that."""

LONG = 128
"""Folded bytes from which fragments count."""

STRIDE = 48
"""Bytes from one anchor of a long value to the next: every line of a PEM file (64) has one whole."""

FRAGMENT = 32
"""Shortest fragment of a long value, in folded bytes."""

MOST_ANCHORS = 64
"""Anchors of one encoding of one value."""

MOST_DFA = 8000
"""Anchors up to which a DFA is built, which searches twice as fast; beyond, it would take much memory."""

_RARE = bytes(byte in b"0123456789bgjkqvwxyz" for byte in range(256))
"""1 for bytes that are rare in prose, and in no encoding special."""

_ALL_RARE = re.compile(b"(?=\1\1\1)")

Found = tuple[int, int, str]
"""Start, end and label."""

Mark = tuple[str, int, int]
"""A kind of token, and the start and end of where its mark stands."""

_NOTHING: frozenset[Mark] = frozenset()


@dataclass(frozen=True, slots=True)
class Pattern:
    """One folded form of a value; `exact` is how it must stand where it is short, else empty.

    `lead` and `tail` are what folding drops at its ends, a brace for instance, to be cut away with it.
    """

    folded: bytes
    exact: bytes
    label: str
    lead: bytes = b""
    tail: bytes = b""

    def anchors(self, taken: Container[bytes]) -> Iterator[tuple[bytes, int]]:
        """Pieces to look for, each with its place in the value; one that is looked for already, if there is
        one.
        """
        if len(self.folded) < LONG:
            windows = range(max(0, len(self.folded) - ANCHOR) + 1)
            shared = next((place for place in windows if self._piece(place) in taken), None)
            places: Iterable[int] = [self._rarest(windows) if shared is None else shared]
        else:
            places = range(0, len(self.folded) - ANCHOR, max(STRIDE, len(self.folded) // MOST_ANCHORS))
        for place in places:
            yield self._piece(place), place

    def _piece(self, place: int) -> bytes:
        return self.folded[place : place + ANCHOR]

    def _rarest(self, places: Sequence[int]) -> int:
        """The piece that ordinary text looks like least; its beginning counts more, because only there the
        automaton leaves its quick first state.
        """
        odd = self.folded.translate(_RARE)
        best = [found.start() for found in _ALL_RARE.finditer(odd, 0, places[-1] + 3)]
        if best:  # as nearly every value has, so that the others need not be counted
            return max(best, key=lambda place: odd.count(1, place, place + ANCHOR))
        return max(places, key=lambda at: (odd.count(1, at, at + 3), odd.count(1, at, at + ANCHOR)))

    def around(self, text: Folded, place: int, at: int) -> tuple[int, int] | None:
        """The part of `text` that is this value, or of a long one a fragment, given that its byte `place`
        stands at `at`.
        """
        start, end = at - place, at - place + len(self.folded)
        if text.slice(start, end) == self.folded:
            return start, end
        if len(self.folded) < LONG:
            return None
        after = _common(text.slice(at, end), self.folded[place:])
        before = _common(text.slice(start, at)[::-1], self.folded[:place][::-1])
        return (at - before, at + after) if before + after >= FRAGMENT else None


def patterns_of(variants: Iterable[bytes], label: str, shortest: int) -> Iterator[Pattern]:
    """What to look for to find any of `variants`; nothing for one that folds to fewer than `shortest`
    bytes.
    """
    for variant in variants:
        folded = fold(variant)
        if len(folded) < shortest:
            continue
        start, end = len(variant) - len(variant.lstrip(DROPPED)), len(variant.rstrip(DROPPED))
        exact = tight(variant[start:end]) if len(folded) < LOOSE else b""
        yield Pattern(folded, exact, label, variant[:start], variant[end:])


Anchored = tuple[bytes, tuple[Pattern, int]]
"""An anchor, and the pattern in which it stands at this place."""


def anchored(patterns: Iterable[Pattern]) -> tuple[Anchored, ...]:
    """The patterns of one value by their anchors, which is most of the work of looking for it: done once,
    and kept for every automaton that it will be a part of.
    """
    taken: set[bytes] = set()
    out: list[Anchored] = []
    for pattern in patterns:
        for anchor, place in pattern.anchors(taken):
            taken.add(anchor)
            out.append((anchor, (pattern, place)))
    return tuple(out)


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two texts have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


class Automaton:
    """An immutable set of patterns, and of `marks`: short literals that say which token shapes to look
    for. One that is not `lasting` is built in less time and searches slower.
    """

    def __init__(
        self, patterns: Iterable[Anchored], marks: Mapping[bytes, str], *, lasting: bool = True
    ) -> None:
        places: dict[bytes, list[tuple[Pattern, int]]] = {}
        for anchor, spot in patterns:
            places.setdefault(anchor, []).append(spot)
        anchors = [*places, *marks]
        self._places, self._marks = list(places.values()), list(marks.values())
        self._overlap = max(map(len, anchors), default=1) - 1
        is_quick = lasting and len(anchors) <= MOST_DFA
        kind = Implementation.DFA if is_quick else Implementation.ContiguousNFA
        self._search = BytesAhoCorasick(anchors, implementation=kind).find_matches_as_indexes

    @cached_property
    def heads(self) -> Mapping[bytes, Set[Pattern]]:
        """The patterns by their first `SHORTEST` bytes, made when a stream is first looked through."""
        heads: dict[bytes, set[Pattern]] = {}
        for there in self._places:
            for pattern, _ in there:
                heads.setdefault(pattern.folded[:SHORTEST], set()).add(pattern)
        return heads

    def glance(self, text: Folded | bytes) -> Set[Mark] | None:
        """Where tokens may be in `text`; None where an anchor stands, so that only `search` can tell.

        `text` is bytes where it was small enough to be folded in one piece, as nearly every record is: this
        is on the way of every call.
        """
        if isinstance(text, bytes):
            hits = self._search(text, overlapping=True)
            return self._marked((index, 0, _BLOCK) for index, _, _ in hits) if hits else _NOTHING
        return self._marked((index, *text.region(at)) for index, at in self._hits(text))

    def _marked(self, hits: Iterable[tuple[int, int, int]]) -> set[Mark] | None:
        marks: set[Mark] = set()
        for index, start, end in hits:
            if index < len(self._places):
                return None
            marks.add((self._marks[index - len(self._places)], start, end))
        return marks

    def _hits(self, text: Folded) -> Iterator[tuple[int, int]]:
        """Which anchor or mark stands where."""
        for start, piece in text.pieces(self._overlap):
            for index, at, _ in self._search(piece, overlapping=True):
                yield index, start + at

    def search(self, text: Folded) -> tuple[list[Found], set[Mark]]:
        """The values in `text.data`, those that overlap as one, and where tokens may be."""
        found: set[Found] = set()
        marks: set[Mark] = set()
        edged: list[Found] = []
        for index, at in self._hits(text):
            if index >= len(self._places):
                marks.add((self._marks[index - len(self._places)], *text.region(at)))
                continue
            for pattern, place in self._places[index]:
                span = pattern.around(text, place, at)
                if span is None or (pattern.exact and not _stands(pattern, text, span)):
                    continue
                found.add((*span, pattern.label))
                if pattern.lead or pattern.tail:
                    edged.append((*_with_edges(pattern, text, span), pattern.label))
        return [(*text.span(start, end), label) for start, end, label in merged(found)] + edged, marks


def _with_edges(pattern: Pattern, text: Folded, span: tuple[int, int]) -> tuple[int, int]:
    start, end = text.span(*span)
    if text.data.endswith(pattern.lead, 0, start):
        start -= len(pattern.lead)
    if text.data.startswith(pattern.tail, end):
        end += len(pattern.tail)
    return start, end


def _stands(pattern: Pattern, text: Folded, span: tuple[int, int]) -> bool:
    """Whether a short value stands there as it is, and not in pieces that only look like it together."""
    place = text.data[slice(*text.span(*span))]
    return tight(place) == pattern.exact


def merged(found: Iterable[Found]) -> list[Found]:
    """In order, those that overlap as one, under the label of the first and longest."""
    out: list[Found] = []
    for start, end, label in sorted(found, key=lambda each: (each[0], -each[1], each[2])):
        if out and start < out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end), out[-1][2])
        else:
            out.append((start, end, label))
    return out
