"""The pack's settings: the table `[packs.itsm]` of `toolcrib.toml`. Credentials are never settings but
secrets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toolcrib.errors import ConfigError
from toolcrib_itsm.backend import FIELDS

__all__ = ["ITSMSettings"]


@dataclass(frozen=True, slots=True)
class ITSMSettings:
    """See the README for each key. `updatable` is what `update_incident` may change.

    Raises `ConfigError` for a cap that is no number of rows, and a field that may
    never be changed.
    """

    backend: Literal["embedded"] = "embedded"
    row_cap: int = 100
    updatable: tuple[str, ...] = ("category", "priority", "state", "ci_id", "parent_id")

    def __post_init__(self) -> None:
        if not 1 <= self.row_cap <= 1000:
            raise ConfigError(
                f"row_cap = {self.row_cap}", rule="the row cap is 1 to 1000 rows", remedy="Set one in range"
            )
        for name in self.updatable:
            if name not in FIELDS:
                raise ConfigError(
                    f"updatable names {name!r}",
                    rule=f"update_incident may change at most {', '.join(FIELDS)}",
                    remedy="Remove it from [packs.itsm] updatable",
                )
