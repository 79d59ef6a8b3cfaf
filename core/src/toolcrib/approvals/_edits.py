"""Edits that an approver makes to the arguments: checked where they are made, so that a slip is told at once.

The executor validates an edit again, as a new call; this check only saves the approver a round trip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolcrib.approvals._model import Approval
from toolcrib.errors import InvalidArguments

__all__ = ["check_edit"]


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
