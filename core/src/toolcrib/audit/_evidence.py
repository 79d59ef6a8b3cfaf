"""Checkpoints as evidence: which there are, whether their signatures hold, and whether the log still says
the same.
"""

from __future__ import annotations

from pathlib import Path

from toolcrib.audit._chain import Head
from toolcrib.audit._checkpoint import Checkpoint, stored
from toolcrib.audit._diagnose import Problem
from toolcrib.audit._keys import PublicKey
from toolcrib.audit._segments import CHECKPOINTS
from toolcrib.errors import AuditError

__all__ = ["Evidence", "notes"]


class Evidence:
    """The checkpoints to compare a log with, in the order in which a pass meets their records."""

    def __init__(self, folder: Path, shipped: Checkpoint | None, pinned: PublicKey | None) -> None:
        self.folder, self.shipped, self.pinned = folder, shipped, pinned
        self.protected = 0
        self.signers: set[str] = set()
        self._waiting: list[tuple[Checkpoint, str]] = []

    def collect(self) -> Problem | None:
        """Load what is there; the first file that is no checkpoint, or is not signed by the right key, is
        the problem.
        """
        found = [(self.shipped, "the shipped checkpoint")] if self.shipped else []
        for path in stored(self.folder):
            where = f"{CHECKPOINTS}/{path.name}"
            try:
                found.append((Checkpoint.load(path), where))
            except AuditError as error:
                return Problem("bad signature", where, None, None, error.what)
        for checkpoint, where in found:
            if problem := self._unsigned(checkpoint, where):
                return problem
        self.signers = {checkpoint.key for checkpoint, _ in found}
        self._waiting = sorted(found, key=lambda pair: pair[0].records, reverse=True)
        return None

    def _unsigned(self, checkpoint: Checkpoint, where: str) -> Problem | None:
        key = self.pinned or checkpoint.signer
        if checkpoint.signed_by(key):
            return None
        if checkpoint.key == key.id:
            detail = "its fields are not the ones that were signed"
        else:
            detail = f"it names the key {checkpoint.key}; the pinned key is {key.id}"
        return Problem("bad signature", where, None, checkpoint.records, detail)

    def distance(self, seq: int, at_most: int) -> int:
        """How many records after `seq` may be followed before the next comparison, at most `at_most`."""
        return min(at_most, self._waiting[-1][0].records - seq) if self._waiting else at_most

    def compare(self, head: Head, place: str) -> Problem | None:
        """Compare with every checkpoint that was signed over exactly `head.seq` records."""
        while self._waiting and self._waiting[-1][0].records == head.seq:
            checkpoint, where = self._waiting.pop()
            if checkpoint.head != head.hash.decode():
                detail = (
                    f"{where} was signed over another record {head.seq}: of records {self.protected + 1} to "
                    f"{head.seq} at least one was edited, inserted or deleted, and the chain was made anew"
                )
                return Problem("rewritten", place, None, head.seq, detail)
            self.protected = head.seq
        return None

    def unmet(self, seq: int, place: str) -> Problem | None:
        """A checkpoint over more records than the log has: its tail was cut."""
        if not self._waiting:
            return None
        checkpoint, where = self._waiting[0]
        detail = (
            f"{where} was signed over {checkpoint.records} records at {checkpoint.ts}; "
            f"the log ends after record {seq}"
        )
        return Problem("cut", place, None, seq + 1, detail)


def notes(records: int, evidence: Evidence, *, ok: bool) -> tuple[str, ...]:
    """What the result proves and what it does not, for a person who must rely on it."""
    if not ok:
        return ("Records before the problem were checked; nothing is said of those after it.",)
    return (_tail_note(records, evidence), *_source_notes(evidence))


def _tail_note(records: int, evidence: Evidence) -> str:
    protected = evidence.protected
    if not protected:
        return (
            "No checkpoint covers any record: a change that nobody chained anew would have been found, "
            "but whoever can write the folder could have rewritten or cut the whole log."
        )
    covered = f"Records 1 to {protected} are as they were when the checkpoint was signed."
    if records == protected:
        return f"{covered} Any that came later and were cut off would not be missed."
    return (
        f"{covered} Those after it are not protected from the holder of the signing key, "
        "nor from anybody else who can write the folder; nor would any that were cut off there be missed."
    )


def _source_notes(evidence: Evidence) -> list[str]:
    found = []
    if evidence.shipped is None:
        found.append(
            "No shipped checkpoint was given: those in the folder can be deleted together with records, "
            "and the key's holder can make others."
        )
    if evidence.pinned is None and evidence.signers:
        found.append(
            "No public key was pinned: checkpoints fit the keys that they carry, whoever made those."
        )
    return found
