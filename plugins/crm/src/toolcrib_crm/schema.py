"""Objects and fields, read off the models: the one allow-list that parser, builders and backends share."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo as ModelField

from toolcrib.errors import VendorRefused
from toolcrib_crm.models import Account, Activity, Column, Contact, Lead, ObjectType, Opportunity, Record

__all__ = [
    "OBJECTS",
    "Field",
    "FieldType",
    "ObjectSpec",
    "Value",
    "any_id",
    "check_id",
    "id_suffix",
    "object_of",
]

FieldType: TypeAlias = Literal["id", "string", "integer", "number", "boolean", "date", "datetime"]
Value: TypeAlias = str | int | float | bool | date | datetime | None

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_TYPES: dict[Any, FieldType] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    date: "date",
    datetime: "datetime",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one object; `column` says what the vendor knows of it."""

    name: str
    type: FieldType
    column: Column

    def plain(self, raw: Any) -> Any:
        """What a backend read, as JSON has it: booleans as such, times as ISO 8601 in UTC."""
        if raw is None:
            return None
        if self.type == "boolean":
            return bool(raw)
        if self.type == "datetime":
            return datetime.fromisoformat(raw).astimezone(UTC).isoformat().replace("+00:00", "Z")
        return raw

    def accept(self, value: Any, owner: str) -> Value:
        """`value` as this field holds it, or `VendorRefused` with what it holds."""
        python = next(
            kind for kind, name in _TYPES.items() if name == ("string" if self.type == "id" else self.type)
        )
        try:
            checked: Value = _adapter(python).validate_python(value, strict=python in (str, bool))
        except ValidationError:
            raise _refused(
                f"{owner}.{self.name} cannot be {value!r:.80}", f"it holds a {self.type}"
            ) from None
        if isinstance(checked, str) and 0 < self.column.limit < len(checked):
            raise _refused(
                f"{owner}.{self.name} got {len(checked):,} characters",
                f"it holds at most {self.column.limit:,}",
            )
        return checked


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """One kind of record: its model, its name and id prefix at Salesforce, its fields by our name."""

    name: ObjectType
    vendor: str
    prefix: str
    model: type[Record]
    fields: Mapping[str, Field]

    def field(self, name: str) -> Field:
        """The field of this name, ours or Salesforce's, in any case; else `VendorRefused` that lists what
        there is.
        """
        wanted = name.lower()
        for field in self.fields.values():
            if wanted in (field.name, field.column.vendor.lower()):
                return field
        raise _refused(f"{self.name} has no field {name!r:.80}", f"its fields are {', '.join(self.fields)}")

    def creatable(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """`values` without what is None, checked for creation; `VendorRefused` where a field is missing or
        not ours to set.
        """
        given = {name: value for name, value in values.items() if value is not None}
        allowed = [field.name for field in self.fields.values() if field.column.write != "never"]
        checked = self._writable(given, allowed, "be set on creation")
        for field in self.fields.values():
            if field.column.required and str(checked.get(field.name) or "").strip() == "":
                raise _refused(f"{self.name}.{field.name} is missing", "it is required")
        return checked

    def updatable(self, changes: Mapping[str, Any], allowed: Iterable[str]) -> dict[str, Value]:
        """`changes` checked against the `allowed` field names; None empties a field that is not required."""
        if not changes:
            raise _refused("there is nothing to change", "an update names at least one field")
        checked = self._writable(changes, allowed, "be changed by update_record")
        for name, value in checked.items():
            if self.fields[name].column.required and (value is None or str(value).strip() == ""):
                raise _refused(f"{self.name}.{name} cannot be emptied", "it is required")
        return checked

    def _writable(self, values: Mapping[str, Any], allowed: Iterable[str], what: str) -> dict[str, Value]:
        names, checked = set(allowed), {}
        for given, value in values.items():
            field = self.field(given)
            if field.name not in names:
                raise _refused(
                    f"{self.name}.{field.name} may not {what}",
                    f"allowed are {', '.join(sorted(names)) or 'none'}",
                )
            checked[field.name] = None if value is None else field.accept(value, self.name)
        return checked


def object_of(name: str) -> ObjectSpec:
    """The object of this name, ours or Salesforce's, in any case; else `VendorRefused`."""
    for spec in OBJECTS.values():
        if name.lower() in (spec.name.lower(), spec.vendor.lower()):
            return spec
    raise _refused(f"there is no object {name!r:.80}", f"objects are {', '.join(OBJECTS)}")


def check_id(spec: ObjectSpec, record_id: str) -> str:
    """`record_id` in its 18-character form if it can be the id of a `spec` record, else `VendorRefused`."""
    if not record_id.startswith(spec.prefix):
        raise _refused(
            f"{record_id!r:.80} is not the id of a record of {spec.name}",
            f"such ids begin with {spec.prefix}",
        )
    return any_id(record_id)


def any_id(record_id: str) -> str:
    """`record_id` in its 18-character form, whatever it is the id of; `VendorRefused` where it is none."""
    if not _ID.fullmatch(record_id):
        raise _refused(f"{record_id!r:.80} is not a record id", "ids have 15 or 18 letters and digits")
    return record_id if len(record_id) == 18 else record_id + id_suffix(record_id)


def id_suffix(short: str) -> str:
    """The three characters that make a case-sensitive 15-character id safe where case is lost (Salesforce's
    own rule: one per five characters, whose bits say which of the five are capitals)."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    blocks = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(
        letters[sum(c.isascii() and c.isupper() and 1 << i for i, c in enumerate(b))] for b in blocks
    )


def _refused(what: str, rule: str) -> VendorRefused:
    return VendorRefused(
        what, rule=rule, remedy="Correct this and call again; describe_object lists the fields"
    )


@cache
def _adapter(python: type) -> TypeAdapter[Any]:
    return TypeAdapter(python)


def _type_of(field: ModelField, column: Column) -> FieldType:
    if column.is_id:
        return "id"
    hint = field.annotation
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    return _TYPES[hint]


def _spec(name: ObjectType, vendor: str, prefix: str, model: type[Record]) -> ObjectSpec:
    fields = {}
    for field_name, field in model.model_fields.items():
        for column in field.metadata:
            if isinstance(column, Column):
                fields[field_name] = Field(field_name, _type_of(field, column), column)
    return ObjectSpec(name, vendor, prefix, model, fields)


OBJECTS: Mapping[ObjectType, ObjectSpec] = {
    "Account": _spec("Account", "Account", "001", Account),
    "Contact": _spec("Contact", "Contact", "003", Contact),
    "Lead": _spec("Lead", "Lead", "00Q", Lead),
    "Opportunity": _spec("Opportunity", "Opportunity", "006", Opportunity),
    "Activity": _spec("Activity", "Task", "00T", Activity),
}
