"""What a redactor knows: taken in one by one, searched all at once, forgotten when there are too many."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

from toolcrib.secrets._encodings import SHORTEST, nested, parts, variants
from toolcrib.secrets._fold import Folded, fold, fold_small, unbroken
from toolcrib.secrets._matcher import Automaton, Found, Pattern, merged, patterns_of
from toolcrib.secrets._shapes import MARKS, tokens

__all__ = ["MOST_KNOWN", "Known"]

MOST_KNOWN = 2048
"""Values that are looked for; beyond, those handed out longest ago are forgotten."""

FEW = 64
"""Patterns that may wait beside the large automaton, so that learning one more value is quick."""

PATIENCE = 2048
"""Bytes searched per pattern of both automata after which it pays to build one."""


SMALL = 8 * 1024
"""Bytes up to which a text that holds nothing, as most do, is told by one look."""

_TAIL = 256
"""Bytes at the end of a chunk that may be the beginning of a value."""


@dataclass(frozen=True, slots=True)
class _Finders:
    """One immutable state, so that whoever searches needs no lock."""

    large: Automaton | None = None
    few: Automaton | None = None
    literal: tuple[tuple[bytes, str], ...] = ()
    """Values of little but blanks and punctuation, which folding would make unrecognisable."""

    automata: tuple[Automaton, ...] = field(init=False)

    def __post_init__(self) -> None:
        there = tuple(each for each in (self.large, self.few) if each is not None)
        object.__setattr__(self, "automata", there)


@cache
def _only_marks() -> Automaton:
    return Automaton((), MARKS)


class Known:
    """Values and the labels that replace them; with `shapes` also what looks like a token."""

    def __init__(self, *, shapes: bool) -> None:
        self._marks = MARKS if shapes else {}
        self._lock = threading.Lock()
        self._values: OrderedDict[str, tuple[tuple[Pattern, ...], tuple[tuple[bytes, str], ...]]] = (
            OrderedDict()
        )
        self._finders = _Finders(large=_only_marks()) if shapes else _Finders()
        self._searched = 0
        self.active = shapes
        """Whether there is anything to look for."""

    # --- learning

    def learn(self, value: str, label: str) -> bool:
        """Look for `value` from now on; False where it was known."""
        with self._lock:
            if value in self._values:
                self._values.move_to_end(value)
                return False
            known = [variant for part in parts(value) for variant in variants(part)]
            patterns = tuple(dict.fromkeys(patterns_of(known, label, SHORTEST)))
            odd = [deep for one in known if len(fold(one)) < SHORTEST for deep in nested(one)]
            literal = tuple((one, label) for one in dict.fromkeys(odd))
            self._values[value] = patterns, literal
            self._take_in(patterns, literal)
            return True

    def _take_in(self, patterns: tuple[Pattern, ...], literal: tuple[tuple[bytes, str], ...]) -> None:
        if len(self._values) > MOST_KNOWN:
            for _ in range(MOST_KNOWN // 8):  # several at once, because it means to build anew
                self._values.popitem(last=False)
            kept = tuple(entry for _, odd in self._values.values() for entry in odd)
            self._finders = _Finders(self._built(self._all_patterns()), None, kept)
        elif patterns or literal:
            finders = replace(self._finders, literal=self._finders.literal + literal)
            waiting = (*(finders.few.patterns if finders.few else ()), *patterns)
            settled = len(finders.large.patterns) if finders.large else 0
            if len(waiting) > max(FEW, settled // 4):
                self._finders = replace(finders, large=self._built(self._all_patterns()), few=None)
            else:
                self._finders = replace(finders, few=Automaton(waiting, {}))
        self._searched = 0
        self.active = self.active or bool(patterns or literal)

    def _all_patterns(self) -> Iterator[Pattern]:
        return (pattern for patterns, _ in self._values.values() for pattern in patterns)

    def _built(self, patterns: Iterator[Pattern]) -> Automaton:
        return Automaton(patterns, self._marks)

    def _count(self, searched: int) -> None:
        """Build one automaton of both once that has become cheaper than to search twice."""
        self._searched += searched
        if self._searched > PATIENCE * len(self._values):
            with self._lock:
                if self._finders.few is not None:
                    self._finders = replace(self._finders, large=self._built(self._all_patterns()), few=None)
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
        if finders.few is not None:
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
        """Where `data` ends in the beginning of a value, and its label. For chunks of a stream; not quick."""
        tail = Folded(data[-_TAIL:])
        size = len(fold(data[-_TAIL:]))
        end = tail.slice(size - _TAIL, size)
        for automaton in self._finders.automata:
            for pattern in automaton.patterns:
                at = end.find(pattern.folded[:SHORTEST])
                while at >= 0:
                    if pattern.folded.startswith(end[at:]):
                        return max(0, len(data) - _TAIL) + tail.span(at, size)[0], pattern.label
                    at = end.find(pattern.folded[:SHORTEST], at + 1)
        return None


def _each(data: bytes, literal: bytes, label: str) -> Iterator[Found]:
    start = data.find(literal)
    while start >= 0:
        yield start, start + len(literal), label
        start = data.find(literal, start + 1)
