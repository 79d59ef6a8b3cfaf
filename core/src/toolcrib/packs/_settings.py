"""A pack's settings table, turned into the pack's own dataclass."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_type_hints

from toolcrib._nearest import did_you_mean
from toolcrib.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["TableConfig", "parse"]

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class TableConfig:
    """What an implementation that a table names may know: the table's other keys, and the tenant.

    `folder` is the crib's state folder; `base` is the config file's, to which paths in settings are relative.
    """

    table: ClassVar[str]
    settings: Mapping[str, Any]
    folder: Path
    base: Path
    tenant: str

    def parse(self, cls: type[T]) -> T:
        """The settings as dataclass `cls`, types checked; ConfigError names an unknown key and a near one."""
        return parse(cls, self.settings, self.table)


def parse(cls: type[T], settings: object, place: str) -> T:
    """`settings` as an instance of dataclass `cls`; `place` names the table in errors, e.g. `[packs.crm]`.

    Types are checked strictly, as JSON would be: `"80"` is no number, but text may become a Path or an Enum.
    Raises ConfigError for an unknown or missing key and for a wrong type; no value is quoted, as it may be a
    misplaced secret.
    """
    from pydantic import ValidationError

    if not isinstance(settings, Mapping):
        raise ConfigError(f"{place} is not a table", rule=_keys(cls), remedy=f"Write {place}")
    _refuse_unknown(cls, settings, place)
    try:
        # Through JSON: pydantic's strict mode for Python objects would refuse a str where a Path is meant.
        text = json.dumps(dict(settings), default=str)
        parsed: T = _adapter(cls).validate_json(text, strict=True)  # type: ignore[arg-type]  # hashable
    except ValidationError as error:
        problems = "; ".join(
            f"{place} {_path(e['loc'])}: {e['msg']}" for e in error.errors(include_input=False)
        )
        raise ConfigError(
            problems, rule=f"each key of {place} takes one kind of value", remedy=_keys(cls)
        ) from None
    return parsed


@functools.cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    # The lock parses hundreds of small tables with one class; building an adapter costs far more than that.
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def _refuse_unknown(cls: type, settings: Mapping[str, Any], place: str) -> None:
    known = [field.name for field in dataclasses.fields(cls) if field.init]
    hints = get_type_hints(cls)
    for key, value in settings.items():
        if key not in known:
            raise ConfigError(f"{place} {key}: unknown key", rule=_keys(cls), remedy=did_you_mean(key, known))
        if isinstance(value, Mapping) and dataclasses.is_dataclass(hints[key]):
            _refuse_unknown(hints[key], value, f"{place[:-1]}.{key}]")


def _keys(cls: type) -> str:
    names = [field.name for field in dataclasses.fields(cls) if field.init]
    return "known keys: " + (", ".join(names) or "none")


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(the table)"
