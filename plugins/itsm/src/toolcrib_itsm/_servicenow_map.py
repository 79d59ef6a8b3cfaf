"""ServiceNow's tables and numbers, and our words."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from toolcrib.errors import ToolError
from toolcrib_itsm.models import (
    Approval,
    Article,
    ConfigurationItem,
    JournalEntry,
    Kind,
    Person,
    Ticket,
)

__all__ = ["ACTIVE", "CHANGE_STATES", "FIELDS", "KINDS", "STATES", "TABLES", "URGENCY", "Row", "active_query",
           "approval", "article", "ci", "entry", "label", "person", "ticket"]  # fmt: skip

Row = Mapping[str, Any]
"""A record as `sysparm_display_value=all` has it: `{"field": {"value", "display_value"}}`."""

TABLES: Final[Mapping[Kind, str]] = {
    "incident": "incident",
    "change": "change_request",
    "request": "sc_request",
}
KINDS: Final[Mapping[str, Kind]] = {table: kind for kind, table in TABLES.items()}
_REQUESTER = {"incident": "caller_id", "change_request": "requested_by", "sc_request": "requested_for"}
_TASK = (
    "sys_id", "number", "sys_class_name", "short_description", "description", "state", "priority", "active",
    "opened_by", "assigned_to", "assignment_group", "cmdb_ci", "parent", "opened_at", "sys_updated_on",
)  # fmt: skip
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "task": _TASK,
    "incident": (*_TASK, "caller_id", "category", "close_code", "parent_incident"),
    "change_request": (*_TASK, "requested_by"),
    "sc_request": (*_TASK, "requested_for"),
    "sysapproval_approver": ("sys_id", "approver", "state"),
    "sys_journal_field": ("sys_id", "element", "value", "sys_created_by", "sys_created_on"),
    "kb_knowledge": ("sys_id", "number", "short_description", "text", "sys_updated_on"),
    "cmdb_ci": (
        "sys_id",
        "name",
        "sys_class_name",
        "install_status",
        "location",
        "owned_by",
        "support_group",
    ),
    "sys_user": ("sys_id", "name", "user_name", "email", "department"),
    "sys_user_group": ("sys_id", "name"),
    "sys_user_grmember": ("sys_id", "user", "group"),
    "sc_cat_item": ("sys_id", "name"),
}
STATES: Final = {
    "new": "1",
    "in_progress": "2",
    "on_hold": "3",
    "resolved": "6",
    "closed": "7",
    "canceled": "8",
}
ACTIVE: Final = ("1", "2", "3")
CHANGE_STATES: Final = {
    "new": ("-5", "-4", "-3"),
    "in_progress": ("-2", "-1", "0"),
    "closed": ("3",),
    "canceled": ("4",),
}
_INCIDENT = {number: state for state, number in STATES.items()}
_CHANGE = {number: state for state, numbers in CHANGE_STATES.items() for number in numbers}
_PRIORITY = {"1": "critical", "2": "high", "3": "moderate", "4": "low", "5": "planning"}
URGENCY: Final = {
    "critical": ("1", "1"),
    "high": ("1", "2"),
    "moderate": ("2", "2"),
    "low": ("2", "3"),
    "planning": ("3", "3"),
}
"""Impact and urgency that make a priority by the lookup rules that ServiceNow ships."""


def active_query(kind: Kind | None) -> str:
    """What is not done; a resolved incident is still `active` to ServiceNow."""
    return "active=true" if kind in ("change", "request") else "active=true^state!=6"


def ticket(row: Row, approvals: tuple[Approval, ...] = ()) -> Ticket:
    """A row of `task` or of a table that extends it."""
    table = _value(row, "sys_class_name") or ""
    state = _value(row, "state") or ""
    ours = {"incident": _INCIDENT, "change_request": _CHANGE}.get(table, {}).get(state)
    active = _value(row, "active") == "true"
    requester = _REQUESTER.get(table, "opened_by")
    requester = requester if requester in row else "opened_by"
    try:
        return Ticket(
            id=row["sys_id"]["value"],
            number=_shown(row, "number") or "",
            kind=KINDS[table],
            title=_value(row, "short_description") or "",
            description=_value(row, "description"),
            state=ours or ("in_progress" if active else "closed"),
            active=state in ACTIVE if table == "incident" else active,
            priority=_PRIORITY.get(_value(row, "priority") or "", _shown(row, "priority")),
            category=_value(row, "category"),
            requester_id=_value(row, requester),
            requester=_shown(row, requester),
            assignee_id=_value(row, "assigned_to"),
            assignee=_shown(row, "assigned_to"),
            group=_shown(row, "assignment_group"),
            ci_id=_value(row, "cmdb_ci"),
            parent_id=_value(row, "parent_incident") or _value(row, "parent"),
            resolution=_shown(row, "close_code"),
            approvals=approvals,
            opened_at=_time(row, "opened_at"),
            updated_at=_time(row, "sys_updated_on"),
        )
    except (KeyError, TypeError, ValueError):
        raise _unreadable("task") from None


def approval(row: Row) -> Approval:
    """A row of `sysapproval_approver`."""
    try:
        return Approval(
            id=row["sys_id"]["value"], approver=_shown(row, "approver"), state=_value(row, "state") or ""
        )
    except (KeyError, TypeError, ValueError):
        raise _unreadable("sysapproval_approver") from None


def entry(row: Row) -> JournalEntry:
    """A row of `sys_journal_field`: whatever is not plainly a comment is internal."""
    try:
        return JournalEntry(
            id=row["sys_id"]["value"],
            internal=_value(row, "element") != "comments",
            author=_value(row, "sys_created_by"),
            text=_value(row, "value") or "",
            created_at=_time(row, "sys_created_on"),
        )
    except (KeyError, TypeError, ValueError):
        raise _unreadable("sys_journal_field") from None


def article(row: Row) -> Article:
    """A row of `kb_knowledge`, its HTML as plain text."""
    try:
        return Article(
            id=row["sys_id"]["value"],
            number=_value(row, "number") or "",
            title=_value(row, "short_description") or "",
            text=_plain(_value(row, "text") or ""),
            updated_at=_time(row, "sys_updated_on"),
        )
    except (KeyError, TypeError, ValueError):
        raise _unreadable("kb_knowledge") from None


def person(row: Row, groups: tuple[str, ...]) -> Person:
    """A row of `sys_user`."""
    try:
        return Person(
            id=row["sys_id"]["value"],
            name=_value(row, "name") or "",
            username=_value(row, "user_name"),
            email=_value(row, "email"),
            department=_shown(row, "department"),
            groups=groups,
        )
    except (KeyError, TypeError, ValueError):
        raise _unreadable("sys_user") from None


def ci(row: Row) -> ConfigurationItem:
    """A row of `cmdb_ci`."""
    try:
        return ConfigurationItem(
            id=row["sys_id"]["value"],
            name=_value(row, "name") or "",
            kind=_shown(row, "sys_class_name"),
            status=_shown(row, "install_status"),
            location=_shown(row, "location"),
            owner=_shown(row, "owned_by"),
            support_group=_shown(row, "support_group"),
        )
    except (KeyError, TypeError, ValueError):
        raise _unreadable("cmdb_ci") from None


def _unreadable(table: str) -> ToolError:
    return ToolError(
        f"ServiceNow's answer has a record of {table} in a form that cannot be read",
        remedy="See whether the account may read the table's fields",
    )


def _value(row: Row, field: str) -> str | None:
    cell = row.get(field)
    found = cell.get("value") if isinstance(cell, Mapping) else cell
    return found if isinstance(found, str) and found else None


def _shown(row: Row, field: str) -> str | None:
    cell = row.get(field)
    found = (cell.get("display_value") or cell.get("value")) if isinstance(cell, Mapping) else cell
    return found if isinstance(found, str) and found else None


def label(row: Row, field: str) -> str:
    """What a field shows; empty where it shows nothing that is text."""
    return _shown(row, field) or ""


def _time(row: Row, field: str) -> datetime | None:
    """`2026-11-02 08:00:00`, in UTC whatever the account's time zone, since it is the value."""
    text = _value(row, field)
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if text else None


def _plain(text: str) -> str:
    broken = re.sub(r"(?i)<(?:br|/p|/li|/h\d|/div)\b[^>]*>", "\n", text)
    return html.unescape(re.sub(r"<[^>]*>", "", broken)).strip()
