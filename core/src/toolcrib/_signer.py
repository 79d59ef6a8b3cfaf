"""What signs the audit log's checkpoints: a key file, or a transit key of the Vault that has the secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from toolcrib.config import Config
from toolcrib.errors import ConfigError

if TYPE_CHECKING:
    from toolcrib.audit import Signer
    from toolcrib.secrets import SecretProvider

__all__ = ["signer_of"]


def signer_of(config: Config, provider: Callable[[], SecretProvider]) -> Signer:
    """The signer that `[audit]` asks for; `provider` opens the one of `[secrets]`. Nothing connects yet."""
    settings = config.audit
    if settings.signer == "file":
        from toolcrib.audit import SigningKey

        return SigningKey.load_or_create(config.keys / "audit.key", audit_folder=config.state / "audit")
    if config.secrets.provider == "vault":
        from toolcrib.secrets.vault import VaultProvider

        vault = provider()
        assert isinstance(vault, VaultProvider)
        key, mount = settings.transit_key, settings.transit_mount
        return vault.signer(key, mount=mount, version=settings.transit_version)
    raise ConfigError(
        f'[audit] signer = "vault", but [secrets] provider = {config.secrets.provider!r}',
        rule="the transit key is one of the Vault that [secrets] describes",
        remedy='Write [secrets] provider = "vault" with its address and login, or signer = "file"',
    )
