"""A candidate policy beside the one in force: what it would have said, on the same record, and nothing more.

The live decision is made, and acted upon, before the shadow is asked; only the record waits for it, for as
long as one decision takes (microseconds). The candidate is loaded and followed in a thread of its own, so
that a large file holds up no call. Whatever fails in here is reported once on the log and changes nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from toolcrib.bench._known import Known
from toolcrib.bench._weigh import Weighed, approvers_of, weigh
from toolcrib.errors import PolicyError
from toolcrib.policy import NO_PREVIEW, OPEN, Facts, Policy, PolicySource

if TYPE_CHECKING:
    from toolcrib.decisions import Decision
    from toolcrib.executor._case import Case

__all__ = ["LOOK_EVERY", "Record", "Shadow"]

LOOK_EVERY = 0.5
"""Seconds between two looks at the candidate's files."""

Record: TypeAlias = Callable[..., None]
"""`Crib.record`, which is told `shadow.loaded` with a revision and `shadow.failed` with the reason."""


class Shadow:
    """Follows the policy in `folder` and says of each decided call what it would have come to.

    `record` is called in the shadow's thread. `start` begins to follow; `look` is one step of that.
    """

    def __init__(self, folder: Path, record: Record) -> None:
        self.folder, self._record = folder, record
        self._source: PolicySource | None = None
        self._policy: Policy | None = None
        self._told: tuple[str, str] | None = None
        self._broken: dict[str, str] = {}
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def policy(self) -> Policy | None:
        """The candidate, None before it is loaded."""
        return self._policy

    def start(self) -> Self:
        """Load the candidate and follow it, in a thread."""
        self._thread = threading.Thread(target=self._follow, name="toolcrib-shadow", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop following."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        while not self._end.is_set():
            self.look()
            self._end.wait(LOOK_EVERY)

    def look(self) -> None:
        """Take a changed candidate, and report what has happened since the last look; never raises."""
        with contextlib.suppress(Exception):  # a log that cannot be written stops the calls themselves
            for revision, why in list(self._broken.items()):
                if why:
                    self._broken[revision] = ""  # told once, however many calls it happens to
                    self._report("failed", f"revision {revision} could not be asked: {why}")
            try:
                self._take(self._current())
            except Exception as error:
                self._tell("failed", str(error) or type(error).__name__)

    def _current(self) -> Policy:
        if self._source is None:
            self._source = PolicySource(self.folder, on_event=self._on_event)
        return self._source.current()

    def _on_event(self, event: str, detail: str) -> None:
        if event == "failed":
            self._tell(event, detail)

    def _take(self, policy: Policy) -> None:
        if self._policy is not None and policy.revision == self._policy.revision:
            return
        if not policy.is_indexed:
            self._policy = None
            raise PolicyError(
                f"the shadow policy in {self.folder} is not of the shipped model",
                rule="plain Casbin is too slow to be asked beside calls",
                remedy="Try it with `toolcrib policy replay`",
            )
        self._policy = policy
        self._tell("loaded", policy.revision)

    def _tell(self, event: str, detail: str) -> None:
        """Report; the same failure only once."""
        if (event, detail) != self._told:
            self._told = (event, detail)
            self._report(event, detail)

    def _report(self, event: str, detail: str) -> None:
        self._record(kind="admin", action=f"shadow.{event}", detail=detail)

    # --- beside a call

    def beside(self, case: Case) -> dict[str, Any] | None:
        """What stands in the record of a decided call: the revision; if it differs also decision and rows.

        None where there is no candidate to ask; never raises.
        """
        policy = self._policy
        if policy is None:
            return None
        try:
            return _compared(policy, case)
        except Exception as error:
            self._broken.setdefault(policy.revision, f"{type(error).__name__}: {error}")
            return None


def _compared(policy: Policy, case: Case) -> dict[str, Any] | None:
    live, tool, principal = case.decision, case.tool, case.call.principal
    if live is None or tool is None or live.is_open:
        return None
    candidates = policy.candidates(principal, tool)
    now = weigh(candidates, principal, tool, _facts(case))
    found: dict[str, Any] = {"revision": policy.revision}
    if now.verdict is None:
        return found | {"decision": "unknown", "missing": list(now.missing)}
    if differs(live, now):
        found |= {"decision": now.verdict, "rows": [str(row) for row in (*now.rows, *now.reviews)]}
    return found


def differs(live: Decision, now: Weighed) -> bool:
    """Another verdict, or a review by others."""
    if now.verdict != live.verdict:
        return True
    return live.verdict == "review" and approvers_of(now.reviews) != approvers_of(live.reviews)


_UNCHECKED = Known("args", {}, {}, is_whole=False)
"""Arguments of a call that was denied before they were checked: reading them is a gap."""


def _facts(case: Case) -> Facts:
    """What the live decision was made from; what it did not look up is not looked up for a shadow."""
    assert case.tool is not None
    before: Any = case.before
    if before is OPEN and case.tool.preview is None:
        before = NO_PREVIEW
    arguments: Mapping[str, Any] = case.arguments.plain if case.arguments else _UNCHECKED
    facts = Facts(
        arguments=arguments,
        labels=case.labels if _knows_labels(case) else OPEN,  # type: ignore[arg-type]  # reading it is a gap
        before=before,
        session=case.call.principal.session,
    )
    if case.tool.sandbox is not None:
        if case.arguments is None:
            facts.sandbox = Known("sandbox", {}, {}, is_whole=False)
        else:
            case.tool.sandbox.fill(facts, case.tool.schema)
    return facts


def _knows_labels(case: Case) -> bool:
    """They are looked up when the live rows read them, and when a human is asked."""
    asked = case.candidates is not None and "labels" in case.candidates.reads
    return asked or bool(case.labels) or case.approval is not None
