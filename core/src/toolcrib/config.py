"""What `toolcrib.toml` says; `toolcrib._config_file` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toolcrib._duration import seconds
from toolcrib.errors import ConfigError
from toolcrib.principal import check_id

__all__ = [
    "ASYMMETRIC",
    "ApprovalSettings",
    "AuditSettings",
    "Config",
    "IdentitySettings",
    "LimitSettings",
    "ModelSettings",
    "PackSettings",
    "RedactionSettings",
    "SandboxSettings",
    "SecretSettings",
    "Trust",
]

Trust: TypeAlias = Literal["locked", "installed"]

ASYMMETRIC = frozenset(
    ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
)
"""Algorithms with a public key. `none` and the HMACs are not among them, and cannot be configured."""

MOST_LEEWAY = 300
"""Seconds."""


@dataclass(frozen=True, slots=True)
class PackSettings:
    """One `[packs.NAME]` table: `settings` is what the pack itself reads, `secrets` maps names to path
    templates.
    """

    trust: Trust
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """`[model]`: any OpenAI-compatible endpoint; the API key comes from the named environment variable."""

    base_url: str
    model: str
    api_key_env: str = "OPENAI_API_KEY"


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """`[audit]`: `fsync` returns once a record is on the disk, `written` once the kernel has it.

    Checkpoints are signed by a key file, or with `signer = "vault"` by version `transit_version` of the
    Ed25519 key `transit_key` in the Vault of `[secrets]`.
    """

    durability: Literal["fsync", "written"] = "fsync"
    signer: Literal["file", "vault"] = "file"
    transit_key: str = "toolcrib-audit"
    transit_mount: str = "transit"
    transit_version: int = 1


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """`[approvals]`: who answers here, whether a call waits or parks, and when an approval expires.

    `users` maps operating-system users to user ids of the policy. `expires` is a duration such as `1h`.
    """

    mode: Literal["wait", "park"] = "wait"
    expires: str = "1h"
    users: Mapping[str, str] = field(default_factory=dict)

    @property
    def expires_seconds(self) -> float:
        """`expires` in seconds."""
        return seconds(self.expires, "[approvals] expires")


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`[limits]`: the loop guard, retries, and how large a result may be before it becomes an artifact.

    `repeats` equal asks are let through per run within `repeat_window`; the next is stopped. `attempts`
    counts the first try too. `artifact_total` bytes of artifacts are kept, while they are used, and for
    `artifact_age` after.
    """

    repeats: int = 5
    repeat_window: str = "5m"
    attempts: int = 3
    result_bytes: int = 64 * 1024
    artifact_bytes: int = 16 * 1024 * 1024
    artifact_age: str = "30d"
    artifact_total: int = 1024 * 1024 * 1024
    pending: int = 100

    def __post_init__(self) -> None:
        for name in ("repeats", "attempts", "result_bytes", "artifact_bytes", "artifact_total", "pending"):
            if getattr(self, name) < 1:
                raise ConfigError(f"[limits] {name} = {getattr(self, name)}", rule="limits are at least 1")

    @property
    def repeat_seconds(self) -> float:
        """`repeat_window` in seconds."""
        return seconds(self.repeat_window, "[limits] repeat_window")

    @property
    def artifact_age_seconds(self) -> float:
        """`artifact_age` in seconds."""
        return seconds(self.artifact_age, "[limits] artifact_age")


@dataclass(frozen=True, slots=True)
class RedactionSettings:
    """`[redaction]`: `shapes` cuts out what looks like a token, `logs` cleans all log records of the process,
    `traces` all spans of OpenTelemetry.

    Values that were handed out are cut out of results, errors, progress and audit in any case.
    """

    shapes: bool = True
    logs: bool = True
    traces: bool = True


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """`[identity]`: whose tokens are believed, and which of their claims says what.

    `agents` are permitted to a token that names none in its claim `agents_claim`. `leeway` bounds how far
    clocks may differ, `keys_max_age` how old the issuer's keys may be when it cannot be reached.
    """

    issuer: str = ""
    audience: str = ""
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    user_claim: str = "sub"
    tenant_claim: str = ""
    agents_claim: str = "agents"
    agents: tuple[str, ...] = ()
    leeway: str = "30s"
    keys_max_age: str = "1h"

    def __post_init__(self) -> None:
        if self.issuer and not self.audience:
            raise ConfigError(
                "[identity] has an issuer, but no audience",
                rule="a token counts if it was made for this crib",
                remedy="Set audience to what the issuer writes into aud for this crib",
            )
        odd = [name for name in self.algorithms if name not in ASYMMETRIC]
        if odd or not self.algorithms:
            raise ConfigError(
                f"[identity] algorithms has {odd[0]!r}" if odd else "[identity] algorithms is empty",
                rule="algorithms with a public key: " + ", ".join(sorted(ASYMMETRIC)),
                remedy="Choose among these; none and HS256 would let a caller sign for itself",
            )
        if not 0 <= self.leeway_seconds <= MOST_LEEWAY:
            raise ConfigError(
                f"[identity] leeway = {self.leeway!r}", rule="at most 5m", remedy="Set the clocks instead"
            )
        for agent in self.agents:
            check_id("[identity] agents", agent)

    @property
    def leeway_seconds(self) -> float:
        """`leeway` in seconds."""
        return seconds(self.leeway, "[identity] leeway")

    @property
    def keys_max_age_seconds(self) -> float:
        """`keys_max_age` in seconds."""
        return seconds(self.keys_max_age, "[identity] keys_max_age")


@dataclass(frozen=True, slots=True)
class SecretSettings:
    """`[secrets]`: the provider's name, how long a value is kept (`0s`: not at all), and what else stands
    there for the provider itself.
    """

    provider: str = "local"
    cache: str = "30s"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cache_seconds(self) -> float:
        """`cache` in seconds."""
        return 0.0 if self.cache.strip() == "0s" else seconds(self.cache, "[secrets] cache")


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """`[sandbox]`: the name of the sandbox that code runs in, and what else stands there for the sandbox
    itself; without the table, no code is run.
    """

    provider: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole config; relative paths are relative to the file's folder."""

    file: Path
    tenant: str = "default"
    state: Path = Path(".toolcrib")
    policy: Path = Path("policies")
    policy_url: str = ""
    shadow: Path | None = None
    trust: Trust = "locked"
    packs: Mapping[str, PackSettings] = field(default_factory=dict)
    secrets: SecretSettings = field(default_factory=SecretSettings)
    redaction: RedactionSettings = field(default_factory=RedactionSettings)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    model: ModelSettings | None = None
    audit: AuditSettings = field(default_factory=AuditSettings)
    approvals: ApprovalSettings = field(default_factory=ApprovalSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)

    @classmethod
    def load(cls, file: Path) -> Config:
        """The config in `file`; raises `ConfigError` that names the file, the key and the nearest right
        one.
        """
        from toolcrib._config_file import ConfigFile

        return ConfigFile(file.absolute()).config()

    @property
    def keys(self) -> Path:
        """The folder of key files, outside the audit folder."""
        return self.state / "keys"

    @property
    def lock_file(self) -> Path:
        """`toolcrib.lock`, beside the config."""
        return self.file.parent / "toolcrib.lock"
