"""Approvals and ledger under any order of events, against a model of a few dictionaries.

Two openings of one folder stand for two processes; each may die (close) and be born again at any moment.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from toolcrib.approvals import Answer, ApprovalRequest
from toolcrib.decisions import Row
from toolcrib.errors import CallAmbiguous, CallRefused, KeyReused, StateError
from toolcrib.principal import Principal
from toolcrib.state import CallScope, LedgerEntry, State

SELLER = Principal(agent="seller", user="alice", tenant="acme")
LEAD = Row("p2", ("*", "*", "*", "*", "True", "lead"), "policy.csv", 1)
TTL = 100.0

keys = st.sampled_from(["k1", "k2"])
digests = st.sampled_from(["d1", "d2"])
who = st.sampled_from([0, 1])


def scope(key):
    return CallScope.of(SELLER, "crm.set", key)


class StateMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1_000.0
        self.states = [self._open(), self._open()]
        self.rows: dict[str, list] = {}  # key -> [digest, status, process or None]
        self.commitments: dict[str, tuple[int, object]] = {}  # key -> process, receipt
        self.ran: dict[str, int] = {}  # key -> how often a tool was let run and not undone
        self.approvals: dict[str, list] = {}  # key -> [id, status, digest, created, expires, answers]

    def _open(self):
        return State.open(Path(self.folder.name), clock=lambda: self.now)

    def teardown(self):
        for state in self.states:
            state.close()
        self.folder.cleanup()

    # --- the ledger --------------------------------------------------------------------------------------

    @rule(process=who, key=keys, digest=digests)
    def commit(self, process, key, digest):
        known = self.rows.get(key)
        doubt = any(row[0] == digest and row[1] == "ambiguous" for row in self.rows.values())
        entry = LedgerEntry(scope(key), digest, "c", "s", "r")
        try:
            commitment = self.states[process].commit(entry=entry)
        except KeyReused:
            assert known and known[0] != digest
        except CallAmbiguous:
            assert (known and known[0] == digest) or doubt
        else:
            assert not known and not doubt
            self.rows[key] = [digest, "intended", process]
            self.commitments[key] = (process, commitment)
            self.ran[key] = self.ran.get(key, 0) + 1

    @precondition(lambda self: self.commitments)
    @rule(data=st.data(), status=st.sampled_from(["done", "failed", "ambiguous"]))
    def settle(self, data, status):
        key = data.draw(st.sampled_from(sorted(self.commitments)))
        process, commitment = self.commitments[key]
        row = self.rows[key]
        if row[1] in ("intended", "ambiguous") and row[2] == process:
            row[1] = status
        assert self.states[process].settle(commitment, status).status == row[1]

    @precondition(lambda self: self.commitments)
    @rule(data=st.data())
    def undo(self, data):
        key = data.draw(st.sampled_from(sorted(self.commitments)))
        process, commitment = self.commitments[key]
        try:
            self.states[process].undo(commitment)
        except StateError:
            assert self.rows[key][1] != "intended"
        else:
            assert self.rows[key][1] == "intended"
            del self.rows[key], self.commitments[key]
            self.ran[key] -= 1

    @rule(process=who)
    def die(self, process):
        """The process ends; another takes its place. Its receipts are gone with it."""
        self.states[process].close()
        self.states[process] = self._open()
        for row in self.rows.values():
            if row[2] == process:
                row[2] = None
                row[1] = "ambiguous" if row[1] == "intended" else row[1]
        self.commitments = {key: each for key, each in self.commitments.items() if each[0] != process}

    @rule(process=who, key=keys, status=st.sampled_from(["done", "failed"]))
    def settle_by_hand(self, process, key, status):
        found = self.states[process].recall(scope(key))
        if found is None:
            return
        try:
            self.states[process].settle_by_hand(found.id, status, by="lea", note="")
        except CallRefused:
            assert self.rows[key][1] != "ambiguous"
        else:
            assert self.rows[key][1] == "ambiguous"
            self.rows[key][1] = status

    # --- approvals ---------------------------------------------------------------------------------------

    def _current(self, key):
        """The model's approval of this key, with its expiry seen."""
        approval = self.approvals.get(key)
        if approval and approval[1] in ("pending", "approved") and approval[4] <= self.now:
            approval[1] = "expired"
        return approval

    @rule(process=who, key=keys, digest=digests)
    def ask(self, process, key, digest):
        request = ApprovalRequest(
            principal=SELLER,
            tool="crm.set",
            effect="write",
            fingerprint="f",
            call_id="c",
            key=key,
            arguments={},
            args_digest=digest,
            requirements=(LEAD,),
        )
        known = self._current(key)
        live = known is not None and known[1] in ("pending", "approved")
        try:
            approval = self.states[process].request_approval(request, ttl=TTL)
        except KeyReused:
            assert live and known[2] != digest
            return
        if live:
            assert approval.id == known[0] and known[2] == digest
        else:
            self.approvals[key] = [approval.id, "pending", digest, self.now, self.now + TTL, 0]

    @rule(process=who, key=keys, verdict=st.sampled_from(["approve", "reject"]), complete=st.booleans())
    def answer(self, process, key, verdict, complete):
        known = self._current(key)
        if known is None:
            return
        state = self.states[process]
        may = known[1] == "pending" or (verdict == "reject" and known[1] == "approved")
        try:
            state.answer(state.get_approval(known[0]), Answer(verdict, "lea", self.now), complete=complete)
        except CallRefused:
            assert not may
            return
        assert may
        known[5] += 1
        if verdict == "reject":
            known[1] = "rejected"
        elif complete:
            known[1], known[4] = "approved", max(known[4], self.now + known[4] - known[3])

    @rule(process=who, key=keys)
    def use(self, process, key):
        known = self._current(key)
        if known is None:
            return
        state = self.states[process]
        try:
            state.commit(approval=state.get_approval(known[0]))
        except CallRefused:
            assert known[1] != "approved"
        else:
            assert known[1] == "approved"
            known[1] = "used"

    @rule(seconds=st.sampled_from([1, 40, 101]))
    def wait(self, seconds):
        self.now += seconds

    # --- what must always hold --------------------------------------------------------------------------

    @invariant()
    def both_processes_see_what_the_model_says(self):
        for state in self.states:
            for key in ("k1", "k2"):
                row = state.recall(scope(key))
                assert (row and [row.args_digest, row.status]) == (
                    self.rows[key][:2] if key in self.rows else None
                )
                known, found = self._current(key), state.find_approval(scope(key))
                assert (found and [found.id, found.status, len(found.answers)]) == (
                    [known[0], known[1], known[5]] if known else None
                )

    @invariant()
    def no_key_ever_ran_twice(self):
        assert all(times <= 1 for times in self.ran.values())

    @invariant()
    def what_is_in_doubt_is_found_by_its_arguments(self):
        for digest in ("d1", "d2"):
            doubt = any(row[0] == digest and row[1] == "ambiguous" for row in self.rows.values())
            assert (self.states[0].ambiguous("acme", "crm.set", digest) is not None) == doubt


StateMachine.TestCase.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestStateMachine = StateMachine.TestCase
