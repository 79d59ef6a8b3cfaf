"""The redactors that clean an outlet of the whole process, such as its logs: also after they are gone.

A crib is closed, and its tools' clients, threads and exception handlers still log what they hold. So what a
redactor knew when it went away stays known to the outlet, until the end of the process; of all that is left
in this way the `MOST_KNOWN` values of last. That costs memory and one more look at each record, and only
where cribs come and go. Token shapes are no values: they are looked for while a crib is there.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from weakref import WeakKeyDictionary

from toolcrib.secrets._known import Known
from toolcrib.secrets.redaction import Redactor

__all__ = ["Lasting"]


class Lasting:
    """The redactors of one outlet."""

    def __init__(self) -> None:
        self._live: WeakKeyDictionary[Redactor, weakref.finalize[..., Redactor] | None] = WeakKeyDictionary()
        self._gone: deque[Known] = deque()
        self._left = Redactor(shapes=False)
        self._lock = threading.Lock()

    def add(self, redactor: Redactor) -> None:
        """Clean with `redactor` from now on, and with what it knew once it is gone."""
        if redactor not in self._live:
            self._live[redactor] = None
            # Made after the entry, so that it runs before that is dropped, and no record falls in between. It
            # may run anywhere, amid a search of ours too, so it only takes a note.
            end = weakref.finalize(redactor, self._gone.append, redactor.known)
            end.atexit = False
            self._live[redactor] = end

    def discard(self, redactor: Redactor) -> None:
        """Clean with it no longer, nor with what it knew."""
        end = self._live.pop(redactor, None)
        if end is not None:
            end.detach()

    def active(self) -> list[Redactor]:
        """Those that have something to look for."""
        if self._gone:
            self._inherit()
        live = [one for each in self._live.keyrefs() if (one := each()) is not None]
        return [one for one in (*live, self._left) if one.active]

    def _inherit(self) -> None:
        """Whoever comes meanwhile waits, so that no record passes between a redactor's end and this."""
        with self._lock:
            while self._gone:
                self._left.inherit(self._gone[0])
                self._gone.popleft()
