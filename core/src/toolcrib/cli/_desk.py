"""What every command has at hand: the config and the parts of the crib, opened when they are first needed."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from toolcrib.approvals import ApprovalChannel
    from toolcrib.audit import Signer
    from toolcrib.config import Config
    from toolcrib.crib import Crib
    from toolcrib.policy import Policy
    from toolcrib.secrets import SecretProvider
    from toolcrib.state import State

__all__ = ["Desk"]


class Desk:
    """`ctx.obj` of every command."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._crib: Crib | None = None
        self._rest = ExitStack()

    @cached_property
    def config(self) -> Config:
        """The config; raises `ConfigError`."""
        from toolcrib.config import Config

        return Config.load(self.file)

    @property
    def tenant(self) -> str:
        """The crib's tenant."""
        return self.config.tenant

    @property
    def folder(self) -> Path:
        """The crib's state folder."""
        return self.config.state

    @property
    def secret_names(self) -> frozenset[str]:
        """`PACK.NAME` of every secret that the config names."""
        return frozenset(f"{pack}.{name}" for pack, its in self.config.packs.items() for name in its.secrets)

    @property
    def audit_folder(self) -> Path:
        """Where the audit log is."""
        return self.config.state / "audit"

    @property
    def keys_folder(self) -> Path:
        """Where the key files are."""
        return self.config.keys

    @property
    def policy_folder(self) -> Path:
        """Where the policy is; for rows in a database, a copy of now, which goes when the command ends."""
        return self._copied_policy if self.config.policy_url else self.config.policy

    @cached_property
    def _copied_policy(self) -> Path:
        import tempfile

        folder = Path(self._rest.enter_context(tempfile.TemporaryDirectory(prefix="toolcrib-policy-")))
        self.crib().policy_origin.read().write_to(folder)
        tests = self.config.policy / "tests"
        if tests.is_dir():
            (folder / "tests").symlink_to(tests.absolute())
        return folder

    @property
    def lock_file(self) -> Path:
        """The packs' lock."""
        return self.config.lock_file

    def crib(self) -> Crib:
        """The crib, assembled once."""
        if self._crib is None:
            from toolcrib.crib import Crib

            self._crib = Crib(self.config, channels=self._channels())
        return self._crib

    def _channels(self) -> list[ApprovalChannel]:
        """The terminal, if somebody sits there who may be an approver; else only `toolcrib approvals`
        answers.
        """
        from toolcrib.approvals import TerminalChannel

        if not sys.stdin.isatty() or not self.config.approvals.users:
            return []
        return [TerminalChannel(self.approver())]

    def state(self) -> State:
        """The state database."""
        return self.crib().state

    def policy(self) -> Policy:
        """The policy in force."""
        return self.crib().policy()

    def secret_provider(self) -> SecretProvider:
        """Where secrets are kept."""
        return self.crib().secret_provider

    def audit_signer(self) -> Signer:
        """What signs the audit log's checkpoints."""
        return self.crib().audit_signer

    def approver(self) -> str:
        """The user id of whoever types here; raises `ConfigError` if the config maps none."""
        from toolcrib.approvals import approver_identity

        return approver_identity(self.config.approvals.users)

    def record(self, *, kind: str, **fields: Any) -> None:
        """Write an audit record, durable on return; raises `AuditError`, so that nothing is done
        unrecorded.
        """
        self.crib().record(kind=kind, **fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rest.close()
        if self._crib is not None:
            self._crib.close()
