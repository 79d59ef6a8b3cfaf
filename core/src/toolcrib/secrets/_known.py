"""What a redactor knows: taken in one by one, searched all at once, forgotten when there are too many."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping

from toolcrib.secrets._encodings import SHORTEST, nested, parts, variants
from toolcrib.secrets._fold import Folded, fold, fold_small, unbroken
from toolcrib.secrets._levels import Entry, Finders, Levels
from toolcrib.secrets._matcher import Found, anchored, merged, patterns_of
from toolcrib.secrets._shapes import MARKS, token_beginning, tokens

__all__ = ["MOST_KNOWN", "Known"]

MOST_KNOWN = 2048
"""Values that are looked for; beyond, those handed out longest ago are forgotten."""

PATIENCE = 2048
"""Bytes searched per value after which it pays to build one automaton of several."""

SMALL = 8 * 1024
"""Bytes up to which a text that holds nothing, as most do, is told by one look."""

_TAIL = 256
"""Bytes at the end of a chunk that may be the beginning of a value."""


class Known:
    """Values and the labels that replace them; with `shapes` also what looks like a token."""

    def __init__(self, *, shapes: bool) -> None:
        self._shapes = shapes
        self._lock = threading.Lock()
        self._values: OrderedDict[str, Entry] = OrderedDict()
        self._levels = Levels(MARKS if shapes else {}, self._lock, self._values.values)
        self._searched = 0
        self.active = shapes
        """Whether there is anything to look for."""

    @property
    def _finders(self) -> Finders:
        return self._levels.finders

    # --- learning

    def learn(self, value: str, label: str) -> bool:
        """Look for `value` from now on; False where it was known."""
        with self._lock:
            if value in self._values:
                self._values.move_to_end(value)
                return False
        # The entry is made without the lock: that is most of the work.
        return self._take_in({value: _entry(value, label)})

    def take_over(self, other: Known) -> None:
        """Look for what `other` knew, which learns nothing any more."""
        self._take_in(other._values)

    def _take_in(self, values: Mapping[str, Entry]) -> bool:
        with self._lock:
            new = {value: entry for value, entry in values.items() if value not in self._values}
            self._values.update(new)
            if entries := [entry for entry in new.values() if entry.patterns or entry.literal]:
                self._levels.add(entries)
                self._searched, self.active = 0, True
            if len(self._values) > MOST_KNOWN:
                kept = MOST_KNOWN - MOST_KNOWN // 8  # several at once, because it means to build anew
                while len(self._values) > kept:
                    self._values.popitem(last=False)
                self._levels.settle_soon()
        return bool(new)

    def settle(self) -> None:
        """Build now what is otherwise built in passing, when many values were learned or much searched."""
        self._levels.settle()

    def _count(self, searched: int) -> None:
        """Build one automaton of several once that has become cheaper than to search twice."""
        self._searched += searched
        if self._searched > PATIENCE * len(self._values):
            with self._lock:
                self._levels.settle_soon()
                self._searched = 0

    # --- searching

    def suspect(self, data: bytes) -> bool:
        """False where `data` certainly holds nothing that `search` would find."""
        finders = self._finders
        if finders.literal:
            return True
        text = fold_small(data) or Folded(data)
        for automaton in finders.automata:
            marks = automaton.glance(text)
            if marks is None or (marks and tokens(data, marks)):
                return True
        return False

    def search(self, data: bytes) -> list[Found]:
        """Where the values and tokens stand in `data`, in order and apart from each other."""
        finders = self._finders
        if not finders.is_settled:
            self._count(len(data))
        if len(data) <= SMALL and b"\\" not in data and not self.suspect(data):
            return []
        found: list[Found] = []
        for form in (data, unbroken(data)):
            if form is None:
                continue
            text = Folded(form)
            for automaton in finders.automata:
                values, marks = automaton.search(text)
                found += values
                found += tokens(data, marks)
        for literal, label in finders.literal:
            found += _each(data, literal, label)
        return merged(found)

    def beginning(self, data: bytes) -> tuple[int, str] | None:
        """Where `data` ends in the beginning of a value, and its label."""
        tail = Folded(data[-_TAIL:])
        size = len(fold(data[-_TAIL:]))
        end = tail.slice(0, size)
        automata = self._finders.automata
        for at in range(size - SHORTEST + 1):
            head, rest = end[at : at + SHORTEST], end[at:]
            for pattern in (each for automaton in automata for each in automaton.heads.get(head, ())):
                if len(rest) < len(pattern.folded) and pattern.folded.startswith(rest):
                    return max(0, len(data) - _TAIL) + tail.span(at, size)[0], pattern.label
        return None

    def token_beginning(self, data: bytes) -> tuple[int, str] | None:
        """Where `data` ends in what may become a token, if tokens are looked for, and its label."""
        return token_beginning(data) if self._shapes else None


def _entry(value: str, label: str) -> Entry:
    known = [variant for part in parts(value) for variant in variants(part)]
    patterns = dict.fromkeys(patterns_of(known, label, SHORTEST))
    odd = [deep for one in known if len(fold(one)) < SHORTEST for deep in nested(one)]
    return Entry(anchored(patterns), tuple((one, label) for one in dict.fromkeys(odd)))


def _each(data: bytes, literal: bytes, label: str) -> Iterator[Found]:
    start = data.find(literal)
    while start >= 0:
        yield start, start + len(literal), label
        start = data.find(literal, start + 1)
