"""What a running tool may ask of the crib."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from toolcrib.errors import SecretRefused, Unavailable
from toolcrib.principal import Principal

if TYPE_CHECKING:
    from toolcrib.artifacts import TenantArtifacts
    from toolcrib.sandbox import Sandbox
    from toolcrib.secrets import Secret

__all__ = ["CallContext"]

FetchSecret = Callable[[str], Awaitable["Secret"]]
OnProgress = Callable[[str, float | None], None]
OnNote = Callable[[str, Any], None]
Learn = Callable[["Secret"], None]
FetchAnew = Callable[[str, "Secret"], Awaitable["Secret"]]
ReplaceSecret = Callable[[str, "Secret", str], Awaitable["Secret"]]


def _no_progress(message: str, fraction: float | None) -> None:
    """Nobody listens."""


def _no_note(name: str, fact: Any) -> None:
    """Nobody writes it down."""


def _no_learning(secret: Secret) -> None:
    """Nobody redacts."""


async def _as_known(name: str, known: Secret) -> Secret:
    return known


async def _no_replacing(name: str, old: Secret, value: str) -> Secret:
    raise SecretRefused(
        f"the secret {name!r} cannot be written: this call has no provider of secrets",
        remedy="Call the tool through a crib",
    )


def _no_sandbox() -> Sandbox:
    raise _missing("a sandbox")


def _no_artifacts() -> TenantArtifacts:
    raise _missing("artifacts")


def _missing(what: str) -> Unavailable:
    return Unavailable(
        f"this call has no {what.removeprefix('a ')}",
        rule="a tool that a crib calls has what the crib has",
        remedy="Call the tool through a crib",
    )


class CallContext:
    """Injected into a tool that has a parameter of this type; never part of the tool's schema.

    `deadline` is in `time.monotonic()` seconds; `idempotency_key` is stable over retries of this call, so
    it may be handed to a vendor that knows such keys.
    """

    __slots__ = (
        "_artifacts",
        "_fetch_anew",
        "_fetch_secret",
        "_learn",
        "_on_note",
        "_on_progress",
        "_replace_secret",
        "_sandbox",
        "call_id",
        "deadline",
        "idempotency_key",
        "principal",
        "tool",
    )

    def __init__(
        self,
        *,
        tool: str,
        principal: Principal,
        call_id: str,
        idempotency_key: str,
        deadline: float,
        fetch_secret: FetchSecret,
        on_progress: OnProgress = _no_progress,
        on_note: OnNote = _no_note,
        learn: Learn = _no_learning,
        fetch_anew: FetchAnew = _as_known,
        replace_secret: ReplaceSecret = _no_replacing,
        sandbox: Callable[[], Sandbox] = _no_sandbox,
        artifacts: Callable[[], TenantArtifacts] = _no_artifacts,
    ) -> None:
        self.tool = tool
        self.principal = principal
        self.call_id = call_id
        self.idempotency_key = idempotency_key
        self.deadline = deadline
        self._fetch_secret, self._learn = fetch_secret, learn
        self._fetch_anew, self._replace_secret = fetch_anew, replace_secret
        self._on_progress, self._on_note = on_progress, on_note
        self._sandbox, self._artifacts = sandbox, artifacts

    async def secret(self, name: str) -> Secret:
        """The secret that the calling pack's config maps `name` to, fetched now for this principal; else
        `SecretError`.
        """
        return await self._fetch_secret(name)

    async def secret_anew(self, name: str, known: Secret) -> Secret:
        """The same, past what is kept in memory, where the vendor no longer takes `known`."""
        return await self._fetch_anew(name, known)

    async def replace_secret(self, name: str, old: Secret, value: str) -> Secret:
        """Store the successor of a secret that this call was given, as a vendor that replaces a token at each
        use demands. `SecretChanged` if `old` is no longer the newest, `SecretRefused` where its provider
        cannot store it; another `SecretError` if it cannot now. Recorded by path and versions.
        """
        return await self._replace_secret(name, old, value)

    def learn(self, secret: Secret) -> None:
        """Have a value that the tool was given by a third (a token, a session) cut out of results, errors,
        progress and log from now on, as the values of `secret` are.
        """
        self._learn(secret)

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell whoever waits how far the work is; `fraction` runs from 0 to 1."""
        self._on_progress(message, fraction)

    def note(self, name: str, fact: Any) -> None:
        """Put a fact that only the tool knows on the call's outcome record: an image's digest, a connection.

        `fact` is JSON data. Secret values are cut out of it. All notes of a call together have at most
        64 KiB; one that does not fit is replaced by its size and digest. The agent never sees notes.
        """
        self._on_note(name, fact)

    @property
    def sandbox(self) -> Sandbox:
        """The crib's sandbox, opened at its first use; raises `SandboxError` where there is none."""
        return self._sandbox()

    @property
    def artifacts(self) -> TenantArtifacts:
        """The files that this tenant's calls have left, and where this call's go."""
        return self._artifacts()
