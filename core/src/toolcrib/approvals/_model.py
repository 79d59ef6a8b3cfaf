"""The vocabulary of approvals: what is asked of a human, and what the human answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from toolcrib.decisions import Row
from toolcrib.effects import Effect
from toolcrib.principal import Principal

__all__ = [
    "Answer",
    "AnswerVerdict",
    "Approval",
    "ApprovalChannel",
    "ApprovalRequest",
    "ApprovalStatus",
    "Review",
]

AnswerVerdict: TypeAlias = Literal["approve", "edit", "reject"]

ApprovalStatus: TypeAlias = Literal[
    "pending",  # waits for (more) answers
    "approved",  # every requirement is satisfied; good for one use until `expires`
    "rejected",  # one entitled person said no
    "expired",  # not answered, or not used, in time; never a yes
    "used",  # a call ran on it
    "superseded",  # the preview or the rules changed; `superseded_by` is the approval that took its place
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person answered. `by` is an approver's user id, `at` is in epoch seconds.

    `edit` holds the *whole* new arguments of an `edit` (sensitive ones excepted, which nobody can edit), else
    None.
    """

    verdict: AnswerVerdict
    by: str
    at: float
    note: str = ""
    edit: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if (self.edit is not None) != (self.verdict == "edit"):
            raise ValueError("an edit, and nothing else, carries new arguments")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """Everything that an approver must see, and that an approval is bound to.

    Bound to: `fingerprint` (of the tool), `args_digest` (of the arguments as asked), `principal`, `preview`
    (digest of `before`, "" without a preview). `requirements` are the p2 rows to satisfy. `targets` and
    `sensitive` are names of arguments; the values of sensitive ones are dropped here, so that neither the
    database nor a screen ever holds them. `schema` is the JSON schema of the arguments: an edit is checked
    against it where it is made.
    """

    principal: Principal
    tool: str
    effect: Effect
    fingerprint: str
    call_id: str
    key: str
    arguments: Mapping[str, Any]
    args_digest: str
    requirements: tuple[Row, ...]
    revision: str = ""
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None
    preview: str = ""
    targets: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    reason: str = ""
    model: str = ""
    prompt_version: str = ""
    labels: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        shown = {name: value for name, value in self.arguments.items() if name not in self.sensitive}
        object.__setattr__(self, "arguments", shown)

    @property
    def binding(self) -> tuple[str, str, str, str, str]:
        """Tool, fingerprint, argument digest, preview digest, session: a yes to one binding is no yes to
        another.

        The other parts of the principal scope the call's key, except `run`: a parked call may resume in
        another.
        """
        return (self.tool, self.fingerprint, self.args_digest, self.preview, self.principal.session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(ApprovalRequest):
    """A request as it stands in the state database; a snapshot, read again to see news. Times are epoch
    seconds.
    """

    id: str
    status: ApprovalStatus
    created: float
    expires: float
    answers: tuple[Answer, ...] = ()
    superseded_by: str | None = None

    @property
    def edit(self) -> Mapping[str, Any] | None:
        """The arguments of the latest edit, without the sensitive ones; None if nobody edited."""
        return next((answer.edit for answer in reversed(self.answers) if answer.verdict == "edit"), None)

    @property
    def shown(self) -> Mapping[str, Any]:
        """The arguments that would run now: the latest edit, else those asked for."""
        return self.arguments if self.edit is None else self.edit

    @property
    def standing(self) -> tuple[Answer, ...]:
        """The answers that count: those from the latest edit on, because earlier ones were given to other
        arguments.
        """
        edits = [n for n, answer in enumerate(self.answers) if answer.verdict == "edit"]
        return self.answers[edits[-1] :] if edits else self.answers

    def apply_edit(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments to run: the edit, plus the sensitive arguments of the call `asked`, which approvers
        never saw.
        """
        if self.edit is None:
            return dict(asked)
        return {**self.edit, **{name: asked[name] for name in self.sensitive if name in asked}}


@dataclass(frozen=True, slots=True)
class Review:
    """One question to a channel: the approval to answer, and how many seconds the caller will wait (None:
    until it expires).
    """

    approval: Approval
    timeout: float | None = None


@runtime_checkable
class ApprovalChannel(Protocol):
    """A way to reach a human. Channels only ask; whether the person may approve is decided by policy, never
    here.
    """

    async def ask(self, review: Review) -> Answer | None:
        """The human's answer, or None: no answer through this channel (another may have one).

        The task is cancelled when the question was answered elsewhere; a channel then gives its terminal back
        and re-raises.
        """
        ...
