"""Every error Toolcrib raises, grouped by who must act on it.

A message says *what* was refused (quoted), by which *rule*, and what to do next (*remedy*); the same three
facts are attributes. No message ever carries a secret's value.
"""

from __future__ import annotations

__all__ = [
    "ApprovalExpired",
    "ApprovalPending",
    "ApprovalRejected",
    "AuditError",
    "CallAmbiguous",
    "CallDenied",
    "CallRefused",
    "ConfigError",
    "InvalidArguments",
    "KeyReused",
    "LoopStopped",
    "NotAuthenticated",
    "NotSent",
    "PackError",
    "PolicyError",
    "QuotaExhausted",
    "SandboxError",
    "SandboxLost",
    "SecretChanged",
    "SecretError",
    "SecretNotFound",
    "SecretRefused",
    "StateError",
    "Temporary",
    "ToolError",
    "ToolcribError",
    "ToolcribWarning",
    "Unavailable",
    "UnknownTool",
    "VendorRefused",
]


class ToolcribError(Exception):
    """Root of all errors.

    `what` quotes the thing that was refused, `rule` names the rule (a policy row, a limit, a config key),
    `remedy` says what to do.
    """

    def __init__(self, what: str, *, rule: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what, self.rule, self.remedy = what, rule, remedy

    def __str__(self) -> str:
        rule = f"Rule: {self.rule}" if self.rule else ""
        return " ".join(_sentence(part) for part in (self.what, rule, self.remedy) if part)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


class ToolcribWarning(UserWarning):
    """Something the operator should mend, but that did not stop the work."""


# --- the model must act: ask differently, or not at all ---------------------------------------------------


class CallRefused(ToolcribError):
    """The call was refused before the tool started; nothing happened."""


class UnknownTool(CallRefused):
    """No tool of this name is installed, or it was not offered to this principal."""


class InvalidArguments(CallRefused):
    """The arguments do not fit the tool's schema; the message tells a model how to mend its call."""


class CallDenied(CallRefused):
    """Policy says no; asking again will not help."""


class LoopStopped(CallRefused):
    """The same call was asked for too often in one run."""


class QuotaExhausted(CallRefused):
    """A p3 row has no room left; `retry_after` is in seconds, None if unknown."""

    def __init__(
        self, what: str, *, rule: str = "", remedy: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(what, rule=rule, remedy=remedy)
        self.retry_after = retry_after


class KeyReused(CallRefused):
    """The idempotency key was used before, with other arguments."""


class CallAmbiguous(CallRefused):
    """An equal call may or may not have happened; a human must settle it first (`toolcrib ledger settle`)."""


# --- a human must act -------------------------------------------------------------------------------------


class ApprovalPending(CallRefused):
    """The call is parked until a human answers; `approval` is the id to answer (`toolcrib approvals approve
    ID`).
    """

    def __init__(self, what: str, *, approval: str, rule: str = "", remedy: str = "") -> None:
        super().__init__(what, rule=rule, remedy=remedy)
        self.approval = approval


class ApprovalRejected(CallRefused):
    """A human said no."""


class ApprovalExpired(CallRefused):
    """Nobody answered in time; an expiry is never a yes."""


class NotAuthenticated(ToolcribError):
    """Token, API key or local user do not prove who calls, or do not permit the agent. The credentials are
    never part of the message.
    """


# --- the caller may try later -----------------------------------------------------------------------------


class Unavailable(ToolcribError):
    """Something the call depends on is not there now; nothing ran. `retry_after` is in seconds, None if
    unknown.
    """

    def __init__(
        self, what: str, *, rule: str = "", remedy: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(what, rule=rule, remedy=remedy)
        self.retry_after = retry_after


class AuditError(Unavailable):
    """The audit log cannot be written, read or trusted; no call runs unaudited."""


class StateError(Unavailable):
    """The state database cannot be read or written."""


class SecretError(Unavailable):
    """A secret is not configured, not permitted or not to be had; its value is never part of the message."""


class SecretNotFound(SecretError):
    """There is no secret at that path, or it has no such key."""


class SecretRefused(SecretError):
    """Policy or the provider says that this principal, or these credentials, may not read the secret."""


class SecretChanged(SecretError):
    """Somebody stored another version of the secret meanwhile, so nothing was written."""


class SandboxError(Unavailable):
    """No sandbox that holds the required protections could be started."""


class SandboxLost(SandboxError):
    """A sandbox that had begun to run the code ended without a result; what the code did by then is done."""


# --- the operator must act --------------------------------------------------------------------------------


class ConfigError(ToolcribError):
    """`toolcrib.toml` or a pack's settings are wrong."""


class PolicyError(ToolcribError):
    """The policy cannot be loaded; no decision is made from half a policy."""


class PackError(ToolcribError):
    """A pack is broken, changed, not locked, or breaks a rule of the registry."""


# --- raised by tools: what the vendor's world answered ----------------------------------------------------


class ToolError(ToolcribError):
    """Raised by a tool whose work failed in a way that it understands. Any other exception leaves a write
    ambiguous.

    `temporary` permits a retry of a read or an idempotent tool, `retry_after` (seconds) says when;
    `happened` is False when the tool knows that nothing changed in the world, None when it cannot know.
    """

    temporary = False
    happened: bool | None = None

    def __init__(
        self, what: str, *, rule: str = "", remedy: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(what, rule=rule, remedy=remedy)
        self.retry_after = retry_after


class Temporary(ToolError):
    """The vendor cannot answer now (429, 503, a dropped connection); whether a write happened is unknown."""

    temporary = True


class NotSent(ToolError):
    """The request never left this process or was turned away before it was read, so nothing happened."""

    temporary = True
    happened = False


class VendorRefused(ToolError):
    """The vendor understood and said no (not found, validation rule, permission), so nothing happened."""

    happened = False
