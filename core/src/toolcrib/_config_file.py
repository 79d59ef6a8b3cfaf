"""`toolcrib.toml`, read strictly: an unknown key is an error that names the nearest right one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from toolcrib._nearest import did_you_mean
from toolcrib.config import (
    ApprovalSettings,
    AuditSettings,
    Config,
    IdentitySettings,
    LimitSettings,
    ModelSettings,
    PackSettings,
    RedactionSettings,
    SandboxSettings,
    SecretSettings,
    Trust,
)
from toolcrib.errors import ConfigError
from toolcrib.packs._settings import parse
from toolcrib.principal import check_id

__all__ = ["TABLES", "ConfigFile", "CribTable", "PolicyTable"]


@dataclass(frozen=True, slots=True)
class CribTable:
    """`[crib]`."""

    tenant: str = "default"
    state: str = ".toolcrib"


@dataclass(frozen=True, slots=True)
class PolicyTable:
    """`[policy]`."""

    path: str = "policies"
    url: str = ""
    shadow: str | None = None


_POLICY_URLS = {
    "sqlite+aiosqlite": "sqlite+aiosqlite:///FILE",
    "postgresql+asyncpg": "postgresql+asyncpg://HOST/NAME",
}
TABLES = (
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


class ConfigFile:
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
            if table not in TABLES:
                raise ConfigError(
                    f"{self._file}: unknown table [{table}]",
                    rule="the tables are " + ", ".join(TABLES),
                    remedy=did_you_mean(table, TABLES),
                )
        return data

    def config(self) -> Config:
        """All of it."""
        crib = self._table("crib", CribTable)
        trust, packs = self._packs()
        folder, policy = self._file.parent, self._table("policy", PolicyTable)
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
        _ = settings.expires_seconds  # one that does not parse is an error now, not at the first review
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
