"""Small steps between rows and records."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from toolcrib.errors import ToolError
from toolcrib_crm.backend import Row
from toolcrib_crm.models import Record
from toolcrib_crm.query import Compare, Condition
from toolcrib_crm.schema import OBJECTS, ObjectSpec, check_id

__all__ = ["equal", "party", "read"]

R = TypeVar("R", bound=Record)


def read(model: type[R], row: Row) -> R:
    """The row as its model; a CRM that leaves out what it must have, or has something else there, is told."""
    try:
        return model.model_validate(row)
    except ValidationError as error:
        names = ", ".join(str(part["loc"][0]) for part in error.errors(include_input=False))
        raise ToolError(
            f"the CRM holds a {model.__name__} that cannot be read: {names}",
            remedy="Ask for its fields with run_query, and have the record mended",
        ) from None


def equal(spec: ObjectSpec, **values: Any) -> list[Condition]:
    """`field = value` for every value that is not None."""
    return [Compare(spec.field(name), "=", value) for name, value in values.items() if value is not None]


def party(about_id: str) -> str:
    """Whom or what an activity is about: the id, checked by what its prefix says it is."""
    specs = [OBJECTS[name] for name in ("Contact", "Lead", "Opportunity")]
    spec = next((spec for spec in specs if about_id.startswith(spec.prefix)), OBJECTS["Account"])
    return check_id(spec, about_id)
