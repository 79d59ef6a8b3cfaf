"""`toolcrib.toml`, read strictly: an unknown key is an error that names the nearest right one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

from toolcrib._duration import seconds
from toolcrib._nearest import did_you_mean
from toolcrib.errors import ConfigError
from toolcrib.packs._settings import parse
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
        return _Reader(file.absolute()).config()

    @property
    def keys(self) -> Path:
        """The folder of key files, outside the audit folder."""
        return self.state / "keys"

    @property
    def lock_file(self) -> Path:
        """`toolcrib.lock`, beside the config."""
        return self.file.parent / "toolcrib.lock"


@dataclass(frozen=True, slots=True)
class _CribTable:
    tenant: str = "default"
    state: str = ".toolcrib"


@dataclass(frozen=True, slots=True)
class _PolicyTable:
    path: str = "policies"
    url: str = ""
    shadow: str | None = None


_POLICY_URLS = {
    "sqlite+aiosqlite": "sqlite+aiosqlite:///FILE",
    "postgresql+asyncpg": "postgresql+asyncpg://HOST/NAME",
}
_TABLES = (
    "crib",
    "packs",
    "policy",
    "secrets",
    "redaction",
    "identity",
    "model",
    "audit",
    "approvals",
    "limits",
    "sandbox",
)


class _Reader:
    """Reads one file, table by table."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._data = self._read()

    def _read(self) -> dict[str, Any]:
        try:
            data = tomllib.loads(self._file.read_text("utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(
                f"there is no config file {str(self._file)!r}",
                rule="a crib is described by one toolcrib.toml",
                remedy="Make one with `toolcrib init`, or name another with -c FILE",
            ) from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(
                f"{self._file} cannot be read: {error}",
                rule="the config is TOML in UTF-8",
                remedy="Correct the file",
            ) from error
        for table in data:
            if table not in _TABLES:
                raise ConfigError(
                    f"{self._file}: unknown table [{table}]",
                    rule="the tables are " + ", ".join(_TABLES),
                    remedy=did_you_mean(table, _TABLES),
                )
        return data

    def config(self) -> Config:
        crib = self._table("crib", _CribTable)
        trust, packs = self._packs()
        folder, policy = self._file.parent, self._table("policy", _PolicyTable)
        return Config(
            file=self._file,
            tenant=check_id("[crib] tenant", crib.tenant),
            state=folder / crib.state,
            policy=folder / policy.path,
            policy_url=self._policy_url(policy.url) if policy.url else "",
            shadow=folder / policy.shadow if policy.shadow is not None else None,
            trust=trust,
            packs=packs,
            secrets=self._secrets(),
            redaction=self._table("redaction", RedactionSettings),
            identity=self._identity(),
            model=self._table("model", ModelSettings) if "model" in self._data else None,
            audit=self._table("audit", AuditSettings),
            approvals=self._approvals(),
            limits=self._limits(),
            sandbox=self._sandbox(),
        )

    def _table(self, name: str, cls: Any) -> Any:
        return self._parse(cls, self._mapping(name), name)

    def _mapping(self, name: str) -> Mapping[str, Any]:
        table = self._data.get(name, {})
        if not isinstance(table, Mapping):
            raise ConfigError(f"{self._file}: {name} is not a table", remedy=f"Write [{name}]")
        return table

    def _parse(self, cls: Any, table: Mapping[str, Any], name: str) -> Any:
        try:
            return parse(cls, table, f"[{name}]")
        except ConfigError as error:
            raise ConfigError(f"{self._file}: {error.what}", rule=error.rule, remedy=error.remedy) from error

    def _policy_url(self, url: str) -> str:
        """Of a database, with an absolute path. Its password belongs into the environment or a pass file."""
        scheme, _, rest = url.partition("://")
        if scheme not in _POLICY_URLS:
            raise ConfigError(
                f"{self._file}: [policy] url: unknown kind {scheme!r}",
                rule=f"a url is {' or '.join(_POLICY_URLS.values())}",
                remedy=did_you_mean(scheme, _POLICY_URLS),
            )
        if urlsplit(url).password is not None or "password" in parse_qs(urlsplit(url).query):
            raise ConfigError(
                f"{self._file}: [policy] url has a password in it",
                rule="the config holds no secrets",
                remedy="Take it out; PGPASSWORD or ~/.pgpass gives it to the driver",
            )
        if scheme == "sqlite+aiosqlite":
            return f"{scheme}:///{self._file.parent / rest.removeprefix('/')}"
        return url

    def _approvals(self) -> ApprovalSettings:
        settings: ApprovalSettings = self._table("approvals", ApprovalSettings)
        _ = (
            settings.expires_seconds
        )  # a duration that does not parse is an error now, not at the first review
        for name in settings.users.values():
            check_id("[approvals.users] value", name)
        return settings

    def _limits(self) -> LimitSettings:
        settings: LimitSettings = self._table("limits", LimitSettings)
        _ = (settings.repeat_seconds, settings.artifact_age_seconds)
        return settings

    def _identity(self) -> IdentitySettings:
        settings: IdentitySettings = self._table("identity", IdentitySettings)
        _ = settings.keys_max_age_seconds
        return settings

    def _secrets(self) -> SecretSettings:
        table = dict(self._mapping("secrets"))
        provider = table.pop("provider", "local")
        if not isinstance(provider, str):
            raise ConfigError(
                f"{self._file}: [secrets] provider is not a name", remedy='Write provider = "local"'
            )
        cache = table.pop("cache", SecretSettings().cache)
        if not isinstance(cache, str):
            raise ConfigError(
                f"{self._file}: [secrets] cache is not a duration", remedy='Write cache = "30s"'
            )
        settings = SecretSettings(provider, cache, table)
        _ = settings.cache_seconds  # a duration that does not parse is an error now, not at the first secret
        return settings

    def _sandbox(self) -> SandboxSettings:
        table = dict(self._mapping("sandbox"))
        provider = table.pop("provider", "")
        if not isinstance(provider, str) or (table and not provider):
            raise ConfigError(
                f"{self._file}: [sandbox] names no provider",
                rule="[sandbox] provider is the name that a pack gives its sandbox",
                remedy='Write provider = "docker"',
            )
        return SandboxSettings(provider, table)

    def _packs(self) -> tuple[Trust, dict[str, PackSettings]]:
        table = dict(self._mapping("packs"))
        default = self._trust(table.pop("trust", "locked"), "[packs] trust")
        packs = {}
        for name, given in table.items():
            if not isinstance(given, Mapping):
                raise ConfigError(
                    f"{self._file}: [packs] {name}: unknown key",
                    rule="[packs] has `trust` and one table per pack",
                    remedy=f"{did_you_mean(name, ['trust'])} Or write a table [packs.{name}]",
                )
            settings = dict(given)
            trust = self._trust(settings.pop("trust", default), f"[packs.{name}] trust")
            packs[name] = PackSettings(trust, settings, self._secret_paths(name, settings.pop("secrets", {})))
        return default, packs

    def _trust(self, value: Any, place: str) -> Trust:
        if value == "locked":
            return "locked"
        if value == "installed":
            return "installed"
        raise ConfigError(
            f"{self._file}: {place} = {value!r}",
            rule='trust is "locked", or "installed" for development',
            remedy=did_you_mean(str(value), ["locked", "installed"]),
        )

    def _secret_paths(self, pack: str, table: Any) -> dict[str, str]:
        if isinstance(table, Mapping) and all(isinstance(path, str) for path in table.values()):
            for name in table:
                self._check_secret(pack, name)
            return dict(table)
        raise ConfigError(
            f"{self._file}: [packs.{pack}.secrets] is not a table of paths",
            rule="a secret's name is mapped to a path template such as 'crm/{tenant}/salesforce'",
            remedy="Write the path, never the value",
        )

    def _check_secret(self, pack: str, name: str) -> None:
        """A name that a policy row can write."""
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ConfigError(
                f"{self._file}: [packs.{pack}.secrets] {name!r} is not a secret's name",
                rule=f"names match [A-Za-z0-9_-]+, as policy rows write them: secret:{pack}.NAME",
                remedy="Rename it here, and where the pack's page says how",
            )
