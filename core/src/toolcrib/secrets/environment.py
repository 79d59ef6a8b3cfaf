"""The environment provider: secrets in variables, for jobs whose runner puts them there.

The weakest of the providers: every subprocess inherits the environment, also one that an agent starts, and
whatever reads `/proc/PID/environ` as this user reads it too. So it is for CI and trials.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from toolcrib.errors import ConfigError, SecretError, SecretNotFound
from toolcrib.secrets._config import ProviderConfig
from toolcrib.secrets._paths import check_path
from toolcrib.secrets._secret import Secret
from toolcrib.secrets._status import ProviderStatus

__all__ = ["EnvironmentProvider", "EnvironmentSettings", "variable_of"]

VERSION = "environment"
"""A variable has no version, and a digest of the value would help to guess it."""

_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ODD = re.compile(r"[^a-z0-9/-]|(?<![a-z0-9])-|-(?![a-z0-9])")
"""What has no name of its own in a variable: all but small letters, digits, and `-` between two of them."""


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    """`[secrets]` with `provider = "env"`."""

    prefix: str = "TOOLCRIB_SECRET_"

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ConfigError(
                f"[secrets] prefix = {self.prefix!r} cannot begin a variable's name",
                rule="a prefix is letters, digits and _, and does not begin with a digit",
                remedy='Write for example prefix = "TOOLCRIB_SECRET_"',
            )


def variable_of(path: str, prefix: str) -> str:
    """The variable of a path: `crm/acme/api-key` is `CRM__ACME__API_KEY` behind the prefix.

    `/` becomes `__`, `-` becomes `_`, letters become capitals; any other character becomes `_xHH`, its code
    in hexadecimal with small letters. No two paths have one variable.
    """
    odd = _ODD.sub(lambda found: f"\0{ord(found[0]):02x}", path)
    plain = odd.replace("/", "__").replace("-", "_")
    # What follows a mark keeps its small letters, which is what tells it from everything else.
    head, *rest = plain.split("\0")
    return prefix + head.upper() + "".join(f"_x{part[:2]}{part[2:].upper()}" for part in rest)


class EnvironmentProvider:
    """Reads the variable of a path anew at every fetch; the environment is never written."""

    def __init__(self, settings: EnvironmentSettings | None = None) -> None:
        self._prefix = (settings or EnvironmentSettings()).prefix

    @classmethod
    def from_config(cls, config: ProviderConfig) -> EnvironmentProvider:
        """As `[secrets]` says."""
        return cls(config.parse(EnvironmentSettings))

    async def fetch(self, path: str) -> Secret:
        """The variable's value; an empty one counts as not there, as CI runners leave what nobody set."""
        name = variable_of(check_path(path), self._prefix)
        value = os.environ.get(name, "")
        if not value:
            state = "is empty" if name in os.environ else "is not set"
            raise SecretNotFound(
                f"there is no secret at {path!r}: the variable {name} {state}",
                rule="[secrets] provider = 'env' reads variables",
                remedy=f"Set {name} where this process is started",
            )
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise SecretError(
                f"the secret at {path!r} is not text: the variable {name} holds bytes that are not UTF-8",
                remedy="Set it in base64",
            )
        return Secret(value, path=path, version=VERSION)

    async def status(self) -> ProviderStatus:
        """Which variables are read; there is nothing to log in to."""
        there = sum(name.startswith(self._prefix) for name in os.environ)
        where = f"{self._prefix}* of this process's environment ({there} set)"
        return ProviderStatus("env", where, "none: every subprocess inherits them")

    async def close(self) -> None:
        """Nothing is on loan."""
