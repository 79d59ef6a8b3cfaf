"""The automata of a redactor: values learned last in a small one, all others in larger ones, built rarely.

A value must be found from the moment on that a tool gets it, so `add` has built it in when it returns. It is
called on an event loop, so that must be quick, however many values are known. Both together: the newest
values are in an automaton of at most `FEW`, which is built anew for each; when it is full it joins one of up
to `MIDDLE`, and that one the largest, which is built in a thread while the ones that it will stand for still
search. So a value takes part in few builds, all but two of them off the loop, and a text is searched at most
a handful of times, after a while once.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from toolcrib.secrets._matcher import Anchored, Automaton

__all__ = ["FEW", "MIDDLE", "Entry", "Finders", "Levels"]

FEW = 16
"""Values in the smallest automaton."""

MIDDLE = 128
"""Values in the next."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one value brings to look for; `literal` has what folding would make unrecognisable."""

    patterns: tuple[Anchored, ...]
    literal: tuple[tuple[bytes, str], ...]


@dataclass(frozen=True, slots=True)
class Finders:
    """One immutable state, so that whoever searches needs no lock."""

    automata: tuple[Automaton, ...]
    literal: tuple[tuple[bytes, str], ...] = ()
    is_settled: bool = True
    """Whether one automaton has everything."""


class Levels:
    """Grows by `add`; `finders` is what to search with now. `everything` gives all entries that still count.

    Its callers hold `lock`, save for `settle`.
    """

    def __init__(
        self, marks: Mapping[bytes, str], lock: threading.Lock, everything: Callable[[], Iterable[Entry]]
    ) -> None:
        self._marks, self._lock, self._everything = marks, lock, everything
        self._large: tuple[Automaton, ...] = (Automaton((), marks),) if marks else ()
        self._middle: list[Entry] = []
        self._few: list[Entry] = []
        self._building: threading.Thread | None = None
        self.finders = Finders(self._large)

    def add(self, entries: list[Entry]) -> None:
        """Look for them from now on."""
        self._few += entries
        if len(self._few) > FEW:
            self._middle += self._few
            self._few = []
            newest = [_built(self._middle)]
        else:
            newest = [*self._middle_automaton, _built(self._few)]
        literal = chain.from_iterable(entry.literal for entry in entries)
        self.finders = Finders((*self._large, *newest), (*self.finders.literal, *literal), False)
        if len(self._middle) > MIDDLE:
            self.settle_soon()

    def settle_soon(self) -> None:
        """Make one automaton of all: at once where that is quick, else in a thread, one at a time."""
        if self._building is not None and self._building.is_alive():  # it is not in the child of a fork
            return
        entries = self._seal()
        if len(entries) <= FEW:
            self._replace(entries, self._all_of(entries))
            return
        building = threading.Thread(target=self._build, args=(entries,), name="toolcrib-redaction")
        with contextlib.suppress(
            RuntimeError
        ):  # no thread is to be had, at the end of the process for instance
            building.start()
            self._building = building

    def settle(self) -> None:
        """Make one automaton of all, and wait for it."""
        if self._building is not None:
            self._building.join()
        with self._lock:
            if not self.finders.is_settled:
                entries = self._seal()
                self._replace(entries, self._all_of(entries))

    def _build(self, entries: list[Entry]) -> None:
        large = self._all_of(entries)
        with self._lock:
            self._replace(entries, large)

    def _all_of(self, entries: list[Entry]) -> Automaton:
        return Automaton(chain.from_iterable(entry.patterns for entry in entries), self._marks)

    def _seal(self) -> list[Entry]:
        """All that is known now; what comes from now on goes into automata of its own."""
        self._large = self.finders.automata
        self._middle, self._few = [], []
        return list(self._everything())

    def _replace(self, entries: list[Entry], large: Automaton) -> None:
        """`large` for all that was there when it was begun."""
        since = self.finders.automata[len(self._large) :]
        self._large = (large,)
        kept = chain(entries, self._middle, self._few)
        literal = tuple(chain.from_iterable(entry.literal for entry in kept))
        self.finders = Finders((large, *since), literal, not since)

    @property
    def _middle_automaton(self) -> tuple[Automaton, ...]:
        start = len(self._large)
        return self.finders.automata[start : start + 1] if self._middle else ()


def _built(entries: list[Entry]) -> Automaton:
    return Automaton(chain.from_iterable(entry.patterns for entry in entries), {}, lasting=False)
