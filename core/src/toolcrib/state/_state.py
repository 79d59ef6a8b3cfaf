"""The state database of one crib: approvals, ledger, quotas and labels, shared by all its processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from toolcrib.approvals import Answer, Approval, ApprovalRequest, ApprovalStatus
from toolcrib.state._model import (
    CallScope,
    Commitment,
    LedgerEntry,
    LedgerRow,
    LedgerStatus,
    QuotaTake,
    Settled,
)

if TYPE_CHECKING:
    from toolcrib.state._database import Database
    from toolcrib.state._keying import DigestKey

__all__ = ["State"]


class State:
    """The state of one crib, on disk, for all processes that share its folder.

    Every method is one transaction, may be called from any thread, and may block (a commit waits for the
    disk): keep it off the event loop; only `answered` is a coroutine. A writer that finds the database locked
    waits up to `busy_timeout` seconds. Every method raises `StateError` when the database cannot be read or
    written; then nothing of the transaction was written.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        """Use `State.open`."""
        from toolcrib.state._approvals import Approvals
        from toolcrib.state._labels import Labels
        from toolcrib.state._ledger import Ledger
        from toolcrib.state._watch import Watch

        self.folder = folder
        self._db = database
        self._approvals = Approvals(database)
        self._ledger = Ledger(database, self._approvals)
        self._labels = Labels(database)
        self._watch = Watch(database, self._approvals)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        busy_timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
        key: DigestKey | None = None,
    ) -> State:
        """The state kept in `folder` (the crib's `.toolcrib`), which is made if it is not there.

        `key` is the one under which callers make digests of arguments. A database of schema 1, which had
        plain ones, is brought up to date with it. If the last one had another key, no digest can be compared
        any more: every open call then counts as equal to any of its tool, open approvals expire, and a
        `ToolcribWarning` says so.

        Registers this process as an owner: `owners/<owner>.lock` is locked until `close` or death. A database
        written by a newer Toolcrib, a damaged one or one that cannot be opened raises `StateError`. Not for
        use after `fork`: open it again there.
        """
        from toolcrib.state._database import Database

        return cls(Database.open(folder, busy_timeout=busy_timeout, clock=clock, key=key), folder)

    @property
    def owner(self) -> str:
        """The unique id of this opening of the state, as ledger rows name it."""
        return self._db.owner.id

    def close(self) -> None:
        """Wake all waiters, close the database, give up the owner lock. Harmless when repeated."""
        self._watch.close()
        self._db.close()

    def __enter__(self) -> State:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- step 6 and 8: quotas, ledger and approval ------------------------------------------------

    def room(self, takes: Sequence[QuotaTake]) -> QuotaTake | None:
        """The first of `takes` that has no room, else None. Takes nothing."""
        return self._ledger.quotas.room(takes)

    def commit(
        self,
        *,
        entry: LedgerEntry | None = None,
        takes: Sequence[QuotaTake] = (),
        approval: Approval | None = None,
    ) -> Commitment:
        """Take every quota, consume the approval and write the ledger row `intended`: all of it, or nothing.

        `approval` is the snapshot that was judged; it must still be approved, unexpired, unused and bound as
        it was then.

        Raises `QuotaExhausted` (with `retry_after`), `ApprovalExpired`, `ApprovalRejected`, `ApprovalPending`
        (reopened meanwhile), `CallRefused` (used, superseded), `KeyReused` (the key has a row with other
        arguments), `CallAmbiguous` (the key has a row already: `recall` shows it; or an equal call of this
        tenant is ambiguous), `StateError`.
        """
        return self._ledger.commit(entry, takes, approval)

    def undo(self, commitment: Commitment) -> None:
        """Take a commitment back because the tool never started: quotas, ledger row and approval are as they
        were before.

        Raises `StateError` if the row has been settled meanwhile; then nothing is changed.
        """
        self._ledger.undo(commitment)
        self._watch.poke()

    def settle(
        self, commitment: Commitment, status: Settled, outcome: Mapping[str, Any] | None = None
    ) -> LedgerRow | None:
        """Write what came of a committed call; the row as it now stands, None for a commitment without one (a
        read).

        `ambiguous` may later become `done` or `failed` by the same owner (a tool that ends after its
        deadline); what a human has settled, or is `done` or `failed`, stays: look at the returned row.
        """
        return self._ledger.settle(commitment, status, outcome)

    # --- step 5: idempotency ----------------------------------------------------------------------

    def recall(self, scope: CallScope) -> LedgerRow | None:
        """The ledger row of this key, else None; a dead owner's `intended` row becomes `ambiguous` first."""
        return self._ledger.recall(scope)

    def ambiguous(self, tenant: str, tool: str, args_digest: str) -> LedgerRow | None:
        """The oldest ambiguous row of an equal call in this tenant (as asked or as run), else None. Sees dead
        owners' rows too.
        """
        return self._ledger.ambiguous(tenant, tool, args_digest)

    def ledger(
        self, *, status: LedgerStatus | None = None, tenant: str | None = None, limit: int = 100
    ) -> list[LedgerRow]:
        """Ledger rows, newest first."""
        return self._ledger.rows(status, tenant, limit)

    def ledger_row(self, prefix: str) -> LedgerRow:
        """The one row whose id begins with `prefix`; raises `CallRefused` for none or several."""
        return self._ledger.by_prefix(prefix)

    def settle_by_hand(
        self, row_id: str, status: Literal["done", "failed"], *, by: str, note: str
    ) -> LedgerRow:
        """A human's word on an ambiguous row; raises `CallRefused` for a row in any other status."""
        return self._ledger.settle_by_hand(row_id, status, by, note)

    def mark_orphans(self) -> list[LedgerRow]:
        """Turn the `intended` rows of dead owners `ambiguous`, and return them. A live owner's rows are never
        touched.

        An owner is dead when its lock is free: the kernel frees it however the process ended, so a reused pid
        does not matter.
        """
        return self._ledger.mark_orphans()

    # --- labels -----------------------------------------------------------------------------------

    def labels(self, tenant: str, session: str) -> frozenset[str]:
        """All labels ever attached to this tenant's session."""
        return self._labels.read(tenant, session)

    def add_labels(self, tenant: str, session: str, labels: Iterable[str]) -> frozenset[str]:
        """Attach labels for good; all labels of the session. Writes nothing when they are known already."""
        return self._labels.add(tenant, session, frozenset(labels))

    # --- approvals --------------------------------------------------------------------------------

    def request_approval(self, request: ApprovalRequest, *, ttl: float) -> Approval:
        """A pending approval for `request`, which expires in `ttl` seconds.

        If the same call key already has a pending or approved one: with the same binding and requirements
        that one is returned (so two processes that resume one call share the question); with other arguments
        `KeyReused` is raised; else (tool, preview or rules changed) it is superseded by the new one.
        """
        approval = self._approvals.request(request, ttl)
        self._watch.poke()
        return approval

    def reopen(
        self, approval: Approval, request: ApprovalRequest, *, ttl: float, keep_answers: bool = False
    ) -> Approval:
        """Supersede a pending or approved approval by a new pending one, for a changed preview or a new
        requirement.

        It has a new id, so that nobody answers what he has not seen. `keep_answers` carries the answers over:
        right when only the requirements have changed. Raises like `answer` if it is neither pending nor
        approved.
        """
        new = self._approvals.reopen(approval, request, ttl, keep_answers)
        self._watch.poke()
        return new

    def get_approval(self, approval_id: str) -> Approval:
        """The approval with this id; raises `CallRefused` if there is none."""
        return self._approvals.get(approval_id)

    def approval_by_prefix(self, prefix: str) -> Approval:
        """The one approval whose id begins with `prefix` (case and dashes do not matter); raises
        `CallRefused`.
        """
        return self._approvals.by_prefix(prefix)

    def list_approvals(
        self, *, status: ApprovalStatus | None = None, tenant: str | None = None, limit: int = 100
    ) -> list[Approval]:
        """Approvals, oldest first; the newest `limit` of them."""
        return self._approvals.list(status, tenant, limit)

    def find_approval(self, scope: CallScope) -> Approval | None:
        """The latest approval of the same call key that is not superseded, whatever its status; else None."""
        return self._approvals.find(scope)

    def answer(self, approval: Approval, answer: Answer, *, complete: bool) -> Approval:
        """Store one person's answer to the approval *as he saw it*; the approval as it now stands.

        `reject` ends it. `approve` and `edit` are stored; `complete` says that with this answer every
        requirement is satisfied (judged by the caller with policy, see `toolcrib.approvals.unmet`): then it
        is approved and good for one use, for as long again as it was open for answers. An edit leaves earlier
        answers without weight (`Approval.standing`).

        Raises `ApprovalExpired`, `ApprovalRejected`, `CallRefused` (used, approved, superseded), or
        `StateError` when somebody else answered in between (look again, then answer again); then nothing is
        stored.
        """
        new = self._approvals.answer(approval, answer, complete)
        self._watch.poke()
        return new

    def accept(self, approval: Approval) -> Approval:
        """Turn a pending approval approved without a further answer, because policy now finds its answers
        enough.
        """
        new = self._approvals.accept(approval)
        self._watch.poke()
        return new

    def withdraw(self, approval: Approval) -> None:
        """Nobody needs the answer any more (the call was cancelled or denied): a pending or approved one
        becomes superseded.
        """
        self._approvals.withdraw(approval)
        self._watch.poke()

    def wait_for_answer(self, approval: Approval, timeout: float | None = None) -> Approval:
        """Block until the approval differs from the snapshot given (status or answers), it expires, or
        `timeout` seconds are over.

        Returns it as it then stands, at once if the snapshot is not pending. Answers given in this process
        wake at once, others within about 0.1 s.
        """
        return self._watch.wait(approval, timeout)

    async def answered(self, approval: Approval, seconds: float | None = None) -> Approval:
        """Like `wait_for_answer`, but a coroutine; waits at most `seconds`. Cancelling is harmless."""
        return await self._watch.answered(approval, seconds)
