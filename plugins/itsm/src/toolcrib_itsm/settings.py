"""The pack's settings: the table `[packs.itsm]` of `toolcrib.toml`. Credentials are never settings but
secrets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from toolcrib.errors import ConfigError
from toolcrib_itsm.backend import FIELDS
from toolcrib_itsm.models import ResolutionCode

__all__ = ["ITSMSettings"]

_INSTANCE = re.compile(r"[a-z0-9][a-z0-9-]*")
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$)")


def _close_codes() -> dict[ResolutionCode, str]:
    return {
        "solution": "Solution provided",
        "workaround": "Workaround provided",
        "duplicate": "Duplicate",
        "user_error": "User error",
        "no_resolution": "No resolution provided",
    }


@dataclass(frozen=True, slots=True)
class ITSMSettings:
    """See the README for each key. `timeout` is in seconds; `updatable` is what `update_incident` may change.

    Raises `ConfigError` for a cap that is no number of rows, an address that is none, and a field that may
    never be changed.
    """

    backend: Literal["embedded", "servicenow", "roundup"] = "embedded"
    row_cap: int = 100
    updatable: tuple[str, ...] = ("category", "priority", "state", "ci_id", "parent_id")
    timeout: float = 30.0
    instance: str = ""
    login: Literal["basic", "password", "client_credentials"] = "basic"
    close_codes: Mapping[ResolutionCode, str] = field(default_factory=_close_codes)
    close_notes: str = "Resolved by the service desk."
    url: str = ""
    tracker: Literal["classic", "extended"] = "classic"

    def __post_init__(self) -> None:
        if not 1 <= self.row_cap <= 1000:
            raise ConfigError(
                f"row_cap = {self.row_cap}", rule="the row cap is 1 to 1000 rows", remedy="Set one in range"
            )
        if self.timeout <= 0:
            raise ConfigError(f"timeout = {self.timeout}", rule="a timeout is more than 0 seconds")
        for name in self.updatable:
            if name not in FIELDS:
                raise ConfigError(
                    f"updatable names {name!r}",
                    rule=f"update_incident may change at most {', '.join(FIELDS)}",
                    remedy="Remove it from [packs.itsm] updatable",
                )
        self._check_backend()

    def _check_backend(self) -> None:
        if self.backend == "servicenow":
            if not _INSTANCE.fullmatch(self.instance):
                raise ConfigError(
                    f"instance = {self.instance!r}",
                    rule="the instance is what stands before .service-now.com in its address",
                    remedy='Set it, e.g. instance = "dev12345"',
                )
            if missing := set(_close_codes()) - set(self.close_codes):
                raise ConfigError(
                    f"close_codes lacks {', '.join(sorted(missing))}",
                    rule="every resolution code has a close code of the instance",
                )
        if self.backend == "roundup":
            if not _URL.fullmatch(self.url):
                raise ConfigError(
                    f"url = {self.url!r}",
                    rule="url is the address of the tracker",
                    remedy='Set it, e.g. url = "https://desk.acme.example/tracker"',
                )
            if self.url.startswith("http://") and not _LOOPBACK.match(self.url):
                raise ConfigError(
                    f"url = {self.url!r}",
                    rule="passwords go over https, or to this machine",
                    remedy="Use https://",
                )
