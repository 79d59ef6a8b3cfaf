"""Credentials that Vault lends: kept while in use, renewed before they end, given back at the end.

A lease hangs on the login that took it and ends with it, whatever the lease itself says. So the login is
renewed too while there are leases, and no value is handed out beyond the earlier of the two ends. One that
nobody has asked for in an hour is given back.
"""

from __future__ import annotations

import threading
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

from toolcrib.errors import SecretError, ToolcribWarning
from toolcrib.secrets._vault_connection import Connection, Reply
from toolcrib.secrets._vault_login import Login

__all__ = ["Lease", "Leases"]

IDLE = 3600.0
"""Seconds after which a lease that nobody asked for is given back."""
CLOSING = 5.0
"""Seconds for giving back everything at the end."""
AGAIN = 1.0
"""Seconds until a renewal that met no Vault is tried again."""


@dataclass(slots=True, eq=False)
class Lease:
    """A lent credential; times are in `time.monotonic()` seconds, `until` None for one that does not end."""

    data: dict[str, Any] = field(repr=False)
    id: str
    seconds: float
    until: float | None
    renewable: bool
    login: Login
    due: float
    used: float

    @property
    def version(self) -> str:
        """The end of the lease's id, which says as much as a version could; `unleased` without a lease."""
        return self.id.rpartition("/")[2] or "unleased"

    @property
    def last(self) -> float | None:
        """The end of the lease or of its login, whichever comes first."""
        ends = [end for end in (self.until, self.login.ends if self.id else None) if end is not None]
        return min(ends) if ends else None

    @property
    def ends(self) -> float | None:
        """The same in `time.time()` seconds."""
        return None if self.last is None else time.time() + self.last - time.monotonic()

    def is_good(self, now: float) -> bool:
        """Whether enough of it is left to be handed out: more than a tenth, at most 10 s."""
        return self.last is None or now < self.last - min(10.0, self.seconds / 10)


class Leases:
    """One lease for each path."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: dict[str, Lease] = {}
        self._taking: dict[str, threading.Lock] = {}
        self._change = threading.Condition()
        self._keeper: threading.Thread | None = None
        self._closed = False

    def get(self, where: str, deadline: float) -> Lease:
        """The lease for `where`, taken now if there is none that lasts; `SecretError`."""
        with self._change:
            lock = self._taking.setdefault(where, threading.Lock())
        with lock:
            now, held = time.monotonic(), self._held.get(where)
            if held is not None and held.is_good(now):
                held.used = now
                return held
            lease = _lease(self._connection.read(where, where, deadline))
            if lease.id:
                self._hold(where, lease)
            return lease

    def close(self) -> None:
        """Give back every lease."""
        with self._change:
            self._closed = True
            self._change.notify()
        if self._keeper is not None:
            self._keeper.join()
        held, self._held, self._keeper, self._closed = self._held, {}, None, False
        deadline = time.monotonic() + CLOSING
        lost = sum(not self._give_back(lease, deadline) for lease in held.values())
        if lost:
            what = f"{lost} lease(s) could not be given back to Vault; they end by themselves"
            warnings.warn(ToolcribWarning(what), stacklevel=2)

    def _hold(self, where: str, lease: Lease) -> None:
        with self._change:
            self._held[where] = lease
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="toolcrib-leases", daemon=True)
                self._keeper.start()
            self._change.notify()

    # --- in the keeper's thread

    def _keep(self) -> None:
        """Renew what is due, for as long as there is anything to keep."""
        while True:
            with self._change:
                if self._closed:
                    return
                due = min((lease.due for lease in self._held.values()), default=None)
                rest = None if due is None else due - time.monotonic()
                if rest is None or rest > 0:
                    self._change.wait(rest)
                    continue
            for where, lease in list(self._held.items()):
                if lease.due <= time.monotonic() and not self._closed:
                    self._look_after(where, lease)

    def _look_after(self, where: str, lease: Lease) -> None:
        now = time.monotonic()
        if lease.last is not None and now >= lease.last:
            self._drop(where, lease)
        elif now - lease.used > IDLE:
            self._drop(where, lease)
            self._give_back(lease, now + CLOSING)
        else:
            self._renew(where, lease, now)

    def _renew(self, where: str, lease: Lease, now: float) -> None:
        deadline = now + min(self._connection.settings.timeout_seconds, max(AGAIN, (lease.last or now) - now))
        try:
            self._connection.renew_login(deadline)
            if not lease.renewable:
                lease.due = lease.last or now + IDLE
                return
            asked = {"lease_id": lease.id, "increment": int(lease.seconds)}
            answer, _ = self._connection.send("post", "sys/leases/renew", deadline, asked)
        except SecretError:
            lease.due = now + AGAIN  # Vault is away; until it is back, or the lease's end, the value is good
            return
        if answer.status != 200:
            self._drop(where, lease)  # revoked: whoever asks next gets another
            return
        _extend(lease, float(answer.body.get("lease_duration") or 0))

    def _drop(self, where: str, lease: Lease) -> None:
        with self._change:
            if self._held.get(where) is lease:
                del self._held[where]

    def _give_back(self, lease: Lease, deadline: float) -> bool:
        try:
            asked = {"lease_id": lease.id}
            answer, _ = self._connection.send("post", "sys/leases/revoke", deadline, asked)
        except SecretError:
            return False
        return answer.status in (200, 204) or lease.login.own  # it goes with the login, which is revoked next


def _lease(reply: Reply) -> Lease:
    now = time.monotonic()
    seconds = reply.seconds
    if not reply.lease_id:  # a rotated (static) role: what is told is when it is rotated next
        ttl = reply.data.get("ttl")
        seconds = float(ttl) if isinstance(ttl, int) and ttl > 0 else 0.0
    until = now + seconds if seconds else None
    due = now + seconds * 2 / 3
    return Lease(reply.data, reply.lease_id, seconds, until, reply.renewable, reply.login, due, now)


def _extend(lease: Lease, seconds: float) -> None:
    """Take a renewal in. One that adds nothing has met the longest life: the lease is left to end."""
    now = time.monotonic()
    until = now + seconds
    if lease.until is not None and until <= lease.until + 0.5:
        lease.renewable = False
        lease.due = lease.last or until
        return
    lease.until, lease.due = until, now + seconds * 2 / 3
