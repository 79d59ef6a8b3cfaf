"""The pack's settings: the table `[packs.crm]` of `toolcrib.toml`. Credentials are never settings but
secrets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from toolcrib.errors import ConfigError, VendorRefused
from toolcrib_crm.models import ObjectType
from toolcrib_crm.schema import OBJECTS

__all__ = ["CRMSettings"]


def _default_updatable() -> dict[ObjectType, tuple[str, ...]]:
    """Every field that may be changed at all; a security team narrows this."""
    return {
        name: tuple(f.name for f in spec.fields.values() if f.column.write == "update")
        for name, spec in OBJECTS.items()
    }


@dataclass(frozen=True, slots=True)
class CRMSettings:
    """See the README for each key. `timeout` is in seconds; `updatable` narrows what `update_record` may
    change.

    Raises `ConfigError` for a cap that is no number of rows, and for an `updatable` field that is not there
    or that `update_record` may never change (`Opportunity.stage`, for one).
    """

    backend: Literal["embedded", "salesforce"] = "embedded"
    row_cap: int = 200
    updatable: Mapping[ObjectType, tuple[str, ...]] = field(default_factory=_default_updatable)
    login: Literal["password", "jwt", "client_credentials"] = "password"
    domain: str = "login"
    api_version: str = "59.0"
    converted_status: str = "Closed - Converted"
    external_id: str = ""
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.row_cap <= 2000:
            raise ConfigError(
                f"row_cap = {self.row_cap}", rule="the row cap is 1 to 2000 rows", remedy="Set one in range"
            )
        if self.timeout <= 0:
            raise ConfigError(f"timeout = {self.timeout}", rule="a timeout is more than 0 seconds")
        if not re.fullmatch(r"[A-Za-z0-9.-]+", self.domain):
            raise ConfigError(
                f"domain = {self.domain!r}",
                rule="the domain is what stands before .salesforce.com in the login address",
                remedy='Set domain to "login", "test" or the My Domain name, e.g. domain = "acme.my"',
            )
        if not re.fullmatch(r"\d{2}\.0", self.api_version):
            raise ConfigError(f"api_version = {self.api_version!r}", rule='versions look like "59.0"')
        if self.external_id and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,74}__c", self.external_id):
            raise ConfigError(
                f"external_id = {self.external_id!r}",
                rule="external_id names a custom field, a unique external id, of Lead, Contact and Task",
                remedy='Name it as Salesforce does, e.g. external_id = "Toolcrib_Key__c"',
            )
        if self.login == "client_credentials" and self.domain in ("login", "test"):
            raise ConfigError(
                f'domain = "{self.domain}"',
                rule="client-credentials login goes to the org's own domain",
                remedy='Set domain to the My Domain name, e.g. domain = "acme.my"',
            )
        for name, fields in self.updatable.items():
            for given in fields:
                self._check_updatable(name, given)

    def _check_updatable(self, name: ObjectType, given: str) -> None:
        allowed = _default_updatable()[name]
        try:
            found = OBJECTS[name].field(given).name
        except VendorRefused as refused:
            raise ConfigError(
                refused.what, rule=refused.rule, remedy="Correct [packs.crm.updatable]"
            ) from None
        if found != given or given not in allowed:
            raise ConfigError(
                f"updatable.{name} names {given!r}",
                rule=f"update_record may change at most {', '.join(allowed)}",
                remedy="Remove it from [packs.crm.updatable]",
            )
