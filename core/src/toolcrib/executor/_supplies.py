"""What one running tool has at hand: its call's secrets, progress, notes and artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolcrib.executor._case import Case, Progress
from toolcrib.executor._notes import take_note
from toolcrib.secrets import Stream

if TYPE_CHECKING:
    from toolcrib.artifacts import ArtifactStore, TenantArtifacts
    from toolcrib.executor._secrets import SecretGate
    from toolcrib.secrets import Secret

__all__ = ["Supplies"]


class Supplies:
    """Answers what a `CallContext` asks, for this one case; few tools ask much, so nothing is prepared."""

    __slots__ = ("_artifacts", "_case", "_gate")

    def __init__(self, case: Case, gate: SecretGate, artifacts: ArtifactStore) -> None:
        self._case, self._gate, self._artifacts = case, gate, artifacts

    async def secret(self, name: str) -> Secret:
        """See `SecretGate.use`."""
        return await self._gate.use(self._case, name)

    async def secret_anew(self, name: str, known: Secret) -> Secret:
        """See `SecretGate.use_anew`."""
        return await self._gate.use_anew(self._case, name, known)

    async def replace_secret(self, name: str, old: Secret, value: str) -> Secret:
        """See `SecretGate.replace`."""
        return await self._gate.replace(self._case, name, old, value)

    def progress(self, message: str, fraction: float | None) -> None:
        """Tell whoever watches, without secrets, also where one is cut over two messages."""
        if self._case.watch is None:
            return
        if self._case.stream is None:
            self._case.stream = Stream(self._gate.redactor)
        self._case.tell(Progress(self._case.stream.clean(message), fraction))

    def note(self, name: str, fact: Any) -> None:
        """Put a fact on the outcome record."""
        take_note(self._case.notes, name, fact)

    def artifacts(self) -> TenantArtifacts:
        """The tenant's own."""
        return self._artifacts.of(self._case.call.principal.tenant)
