"""Edits that an approver makes to the arguments: checked where they are made, so that a slip is told at once.

The executor validates an edit again, as a new call; this check only saves the approver a round trip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from toolcrib.approvals._changes import CONTAINERS, leaves
from toolcrib.approvals._model import Approval
from toolcrib.errors import InvalidArguments

__all__ = ["check_edit", "copied", "edit_from", "put", "typed_like"]


def check_edit(approval: Approval, edit: Mapping[str, Any]) -> None:
    """Raise `InvalidArguments` if `edit` (whole new arguments) touches a sensitive argument or does not fit
    the tool's schema.
    """
    touched = sorted(set(edit) & set(approval.sensitive))
    if touched:
        raise InvalidArguments(
            f"{', '.join(touched)} of {approval.tool} cannot be edited",
            rule="sensitive arguments are not shown to approvers",
            remedy="Reject the call and say why",
        )
    problem = _schema_problem(_without(approval.schema, approval.sensitive), edit)
    if problem:
        raise InvalidArguments(
            f"the edit does not fit {approval.tool}: {problem}",
            rule="the tool's schema",
            remedy=f"Arguments: {_names(approval)}",
        )


def edit_from(approval: Approval, settings: Sequence[str]) -> dict[str, Any]:
    """The whole new arguments that `name=value` settings make of the present ones; raises `InvalidArguments`.

    `fields.Phone=...` sets a member of an argument that holds a record's fields. Where the present value is a
    text the new one is taken as it is, elsewhere as JSON.
    """
    present = dict(leaves(approval.shown))
    edited = copied(approval.shown)
    for setting in settings:
        name, found, text = setting.partition("=")
        path = _path(approval, name)
        if not found or path is None:
            raise InvalidArguments(
                f"{setting!r} sets no argument of {approval.tool}",
                rule="name=value, where name is an argument",
                remedy=f"Arguments: {_names(approval)}",
            )
        put(edited, path, _value(approval, name, present.get(path), text))
    check_edit(approval, edited)
    return edited


def _path(approval: Approval, name: str) -> tuple[str, ...] | None:
    outer, _, inner = name.partition(".")
    if inner and outer in CONTAINERS and isinstance(approval.shown.get(outer), Mapping):
        return (outer, inner)
    known = name in approval.shown or name in approval.schema.get("properties", {})
    return (name,) if known else None


def _value(approval: Approval, name: str, present: Any, text: str) -> Any:
    is_text = approval.schema.get("properties", {}).get(name, {}).get("type") == "string"
    try:
        return typed_like("" if is_text else present, text)
    except ValueError as error:
        raise InvalidArguments(
            f"{name}={text!r} is no JSON value", remedy='Write it like 12, true, null or ["a", "b"]'
        ) from error


def put(arguments: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set the value at a path of `leaves`."""
    *outer, last = path
    place = arguments[outer[0]] if outer else arguments
    place[last] = value


def copied(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that `put` may change."""
    return {
        name: dict(value) if name in CONTAINERS and isinstance(value, Mapping) else value
        for name, value in arguments.items()
    }


def typed_like(present: Any, text: str) -> Any:
    """What the person typed, as a value like the present one; raises `ValueError`."""
    if isinstance(present, str):
        return "" if text.strip() == '""' else text
    try:
        return orjson.loads(text)
    except ValueError:
        if present is None:
            return text
        raise


def _schema_problem(schema: Mapping[str, Any], edit: Mapping[str, Any]) -> str:
    if not schema:
        return ""
    import jsonschema_rs

    errors = jsonschema_rs.validator_for(dict(schema)).iter_errors(dict(edit))
    found = next(iter(errors), None)
    if found is None:
        return ""
    where = ".".join(str(part) for part in found.instance_path)
    return f"{where}: {found.message}" if where else found.message


def _without(schema: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The schema with `names` no longer required: sensitive arguments are added back by the executor."""
    required = [name for name in schema.get("required", ()) if name not in names]
    return {**schema, "required": required} if schema else {}


def _names(approval: Approval) -> str:
    return ", ".join(approval.schema.get("properties", approval.arguments)) or "none"
