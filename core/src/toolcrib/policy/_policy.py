"""The policy of a crib: one revision, compiled, immutable."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolcrib.decisions import Decision, Row
from toolcrib.errors import PolicyError
from toolcrib.policy._alone import not_waiting
from toolcrib.policy._candidates import Candidates
from toolcrib.policy._engine import IndexEngine, PlainEngine
from toolcrib.policy._facts import Facts, Governed
from toolcrib.policy._fields import REQUESTER
from toolcrib.policy._files import read_text
from toolcrib.policy._grants import bounded
from toolcrib.policy._index import Index
from toolcrib.policy._loading import Loaded, load_text, without_collector
from toolcrib.policy._problems import Problem, raise_first
from toolcrib.policy._quota import Quota
from toolcrib.principal import NOBODY, Principal

if TYPE_CHECKING:
    from toolcrib.state import QuotaTake

__all__ = ["MODEL_FILE", "POLICY_FILE", "Policy"]

MODEL_FILE, POLICY_FILE = "model.conf", "policy.csv"


class Policy:
    """What a policy folder says. `revision` is 12 hex digits of a SHA-256 over model and rows.

    `rows` are all rows in the order of the file, `warnings` what the operator should know, `is_indexed` is
    False where a custom model is decided by plain Casbin.
    """

    def __init__(self, loaded: Loaded, revision: str) -> None:
        self.revision = revision
        self.rows: tuple[Row, ...] = tuple(loaded.rows)
        self.warnings: tuple[str, ...] = tuple(loaded.warnings)
        self.is_indexed = loaded.model.shipped
        self._roles = loaded.roles
        self._engine = (IndexEngine if self.is_indexed else PlainEngine)(loaded, revision)

    @classmethod
    def load(cls, folder: Path) -> Policy:
        """Load `model.conf` and `policy.csv`; raises `PolicyError` naming file and line, rule and remedy."""
        folder = Path(folder)
        return cls.of(read_text(folder / MODEL_FILE), read_text(folder / POLICY_FILE))

    @classmethod
    def of(
        cls, model: str, rows: str, file: str = POLICY_FILE, numbers: Sequence[int] | None = None
    ) -> Policy:
        """A policy from the texts of `model.conf` and `policy.csv`; raises `PolicyError`.

        `file` and `numbers` are what places are called, where they are not lines of `policy.csv`.
        """
        with without_collector():
            loaded = load_text(model, rows, MODEL_FILE, file, numbers)
            raise_first(loaded.problems)
            return cls(loaded, revision_of(model, rows))

    @staticmethod
    def problems(folder: Path) -> Sequence[Problem]:
        """Everything that keeps this folder from loading; raises `PolicyError` where it cannot even be
        read.
        """
        folder = Path(folder)
        texts = read_text(folder / MODEL_FILE), read_text(folder / POLICY_FILE)
        return load_text(*texts, MODEL_FILE, POLICY_FILE).problems

    @property
    def index(self) -> Index:
        """The rows by tenant, subject and tool, for questions about all of them at once.

        Raises `PolicyError` for a custom model, whose rows only its matcher understands.
        """
        if isinstance(self._engine, IndexEngine):
            return self._engine.index
        raise PolicyError(
            "the policy's model.conf is not the shipped model",
            rule="only rows of the shipped model can be looked up; any other model is asked call by call",
            remedy="Ask `toolcrib policy explain` about single calls, or use the shipped model",
        )

    def candidates(self, principal: Principal, tool: Governed) -> Candidates:
        """The rows that can match this call for either subject, whatever its arguments; memoised, bounded."""
        return self._engine.candidates(principal, tool)

    def decide(self, candidates: Candidates, facts: Facts) -> Decision:
        """The decision by the revision that the candidates come from, which the decision names."""
        found = bounded(candidates.decide(facts), facts)
        return not_waiting(found) if found.reviews or found.quotas else found

    def roles(self, subject: str, tenant: str) -> tuple[str, ...]:
        """The roles that `user:ID` or `agent:NAME` holds in a tenant, nearest first."""
        return self._roles.closure(subject, tenant)[1:]

    def approves(self, approver: str, review: Row, principal: Principal) -> bool:
        """Whether user `approver` may satisfy this p2 row for a call of `principal`.

        Whoever asked counts only where the row says `requester`: neither a role nor their own name lets
        somebody approve what they asked for themselves.
        """
        alternatives = [one.strip() for one in review.values[-1].split("|")]
        if approver == NOBODY or not approver:
            return False
        if approver == principal.user:
            return REQUESTER in alternatives
        subject = f"user:{approver}"
        held = {subject, *self.roles(subject, principal.tenant)} - {REQUESTER}
        return not held.isdisjoint(alternatives)

    def quota(self, row: Row) -> Quota:
        """The quota of a p3 row of this policy."""
        return Quota.of(row)

    def takes(self, decision: Decision, principal: Principal) -> list[QuotaTake]:
        """What the call would take from each counter of the decision's p3 rows."""
        from toolcrib.state import QuotaTake

        quotas = [self.quota(row) for row in decision.quotas]
        return [QuotaTake(one.key(principal), one.limit, one.window_seconds, str(one.row)) for one in quotas]


def revision_of(model: str, rows: str) -> str:
    """Twelve hex digits; the length keeps a byte from moving from one file to the other unnoticed."""
    data = model.encode()
    digest = hashlib.sha256(b"%d\n" % len(data) + data)
    for start in range(0, len(rows), _PIECE):  # in pieces, since all at once would hold up other threads
        digest.update(rows[start : start + _PIECE].encode())
    return digest.hexdigest()[:12]


_PIECE = 1 << 16
