"""The fake instance's tables, and the rules by which they take changes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from toolcrib_itsm import sample
from toolcrib_itsm.testing._encoded_query import QueryError, run

__all__ = ["Instance", "Refusal", "sys_id"]

_TASK = (
    "sys_id", "number", "sys_class_name", "short_description", "description", "state", "priority", "impact",
    "urgency", "active", "opened_by", "assigned_to", "assignment_group", "cmdb_ci", "parent", "opened_at",
    "sys_updated_on", "correlation_id", "close_notes", "work_notes", "comments", "approval",
)  # fmt: skip
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "incident": (*_TASK, "caller_id", "category", "close_code", "parent_incident"),
    "change_request": (*_TASK, "requested_by"),
    "sc_request": (*_TASK, "requested_for"),
    "sysapproval_approver": ("sys_id", "approver", "state", "sysapproval", "comments"),
    "sys_journal_field": ("sys_id", "element", "element_id", "value", "sys_created_by", "sys_created_on"),
    "kb_knowledge": ("sys_id", "number", "short_description", "text", "workflow_state", "sys_updated_on"),
    "cmdb_ci": (
        "sys_id",
        "name",
        "sys_class_name",
        "install_status",
        "location",
        "owned_by",
        "support_group",
    ),
    "sys_user": ("sys_id", "name", "user_name", "email", "department", "active"),
    "sys_user_group": ("sys_id", "name"),
    "sys_user_grmember": ("sys_id", "user", "group"),
    "sc_cat_item": ("sys_id", "name", "active", "variables"),
}
_EXTENDS = {"incident": "task", "change_request": "task", "sc_request": "task"}
_REFERENCES = {
    "assigned_to": "sys_user", "opened_by": "sys_user", "caller_id": "sys_user", "requested_by": "sys_user",
    "requested_for": "sys_user", "approver": "sys_user", "owned_by": "sys_user", "user": "sys_user",
    "assignment_group": "sys_user_group", "support_group": "sys_user_group", "group": "sys_user_group",
    "cmdb_ci": "cmdb_ci",
}  # fmt: skip
_READ_ONLY = ("sys_id", "number", "sys_class_name", "priority", "active", "opened_at", "sys_updated_on")
_LEVELS = {"11": "1", "12": "2", "13": "3", "21": "2", "22": "3", "23": "4", "31": "3", "32": "4", "33": "5"}
_NUMBERED = {"incident": "INC", "change_request": "CHG", "sc_request": "REQ"}
_STATES = {"new": "1", "in_progress": "2", "on_hold": "3", "resolved": "6", "closed": "7"}
_CHANGES = {"new": "-5", "closed": "3"}
_WEST = timedelta(hours=8)
"""The account's time zone lies behind UTC, so a date read from its display value is seen to be wrong."""


class Refusal(Exception):
    """An error as the REST API sends it."""

    def __init__(self, status: int, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.detail = status, message, detail


def sys_id(name: str) -> str:
    """The sys_id of a record of the sample desk, from its id there."""
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


class Instance:
    """Rows by table and sys_id. Not thread-safe: the service holds its lock.

    `domains` keeps tenants of one instance apart (domain separation): the domain of a record or user by
    sys_id. Whoever has one sees, and changes, what is of that domain or of none; what they make is of it.
    """

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, str]]] = {name: {} for name in COLUMNS}
        self.domains: dict[str, str] = {}
        self.scripts: list[str] = []
        self.ignored: list[str] = []
        self._numbers = itertools.count(7_000_001)
        self._ids = itertools.count(1)

    def snapshot(self) -> dict[str, dict[str, dict[str, str]]]:
        """A copy of everything, to compare with later."""
        return {name: {key: dict(row) for key, row in rows.items()} for name, rows in self.tables.items()}

    def load_sample(self) -> None:
        """The sample desk under ServiceNow's names."""
        _Loader(self).load()

    def put(self, table: str, row: Mapping[str, Any]) -> None:
        """Put a row in as it is."""
        whole = {name: str(row.get(name) or "") for name in COLUMNS[table]}
        self.tables[table][whole["sys_id"]] = whole

    def find(self, table: str, query: str, user: str) -> list[Mapping[str, str]]:
        """The rows that an encoded query finds for a user."""
        try:
            rows = [row for row in self._rows(table) if self._is_seen(row["sys_id"], user)]
            return run(query, rows, lambda row, field: self._look(table, row, field),
                       lambda text: self._script(text, user))  # fmt: skip
        except QueryError as error:
            raise Refusal(400, "Invalid query", str(error)) from None

    def get(self, table: str, key: str, user: str) -> dict[str, str]:
        """One row; that of a table which extends `table`, too."""
        for name in self._all(table):
            if key in self.tables[name] and self._is_seen(key, user):
                return self.tables[name][key]
        raise _not_found()

    def insert(self, table: str, values: Mapping[str, str], user: str) -> dict[str, str]:
        """A new row, with what the instance adds of its own."""
        key = sys_id(f"new {next(self._ids)}")
        row = dict.fromkeys(COLUMNS[table], "")
        row["sys_id"] = key
        if table in _EXTENDS:
            row |= {"number": f"{_NUMBERED[table]}{next(self._numbers)}", "sys_class_name": table,
                    "state": "-5" if table == "change_request" else "1", "active": "true", "opened_by": user,
                    "impact": "3", "urgency": "3", "opened_at": _now()}  # fmt: skip
            row["caller_id" if table == "incident" else "requested_by"] = user
        self.tables[table][key] = row
        self._keep_apart(key, user)
        self._write(table, row, values, user)
        return row

    def update(self, table: str, key: str, values: Mapping[str, str], user: str) -> dict[str, str]:
        """Change a row."""
        if key not in self.tables.get(table, {}) or not self._is_seen(key, user):
            raise _not_found()
        row = self.tables[table][key]
        if table == "incident" and values.get("state") == "6" and not values.get("close_notes"):
            raise Refusal(
                403, "Operation Failed", "The following mandatory fields are not filled in: Close notes"
            )
        self._write(table, row, values, user)
        return row

    def order(self, key: str, quantity: str, variables: Mapping[str, str], user: str) -> dict[str, str]:
        """A request for a catalog item."""
        item = self.get("sc_cat_item", key, user)
        wanted = {name for name in item["variables"].split(",") if name}
        if not quantity.isdigit() or not wanted <= set(variables):
            raise Refusal(400, "Mandatory Variables are required")
        return self.insert("sc_request", {"short_description": f"{quantity} x {item['name']}"}, user)

    def cell(self, row: Mapping[str, str], field: str) -> dict[str, str]:
        """A field with `sysparm_display_value=all`."""
        value = row[field]
        shown = value
        if value and field in _REFERENCES:
            target = self.tables[_REFERENCES[field]].get(value)
            shown = target["name"] if target else ""
        elif value and field.endswith(("_at", "_on")):
            shown = (datetime.fromisoformat(value) - _WEST).strftime("%m/%d/%Y %I:%M:%S %p")
        elif field in ("comments", "work_notes"):
            value = shown = ""  # what is in a journal is not read from its field
        return {"value": value, "display_value": shown}

    def _write(self, table: str, row: dict[str, str], values: Mapping[str, str], user: str) -> None:
        before, said = dict(row), False
        for name, value in values.items():
            if name not in row or name in _READ_ONLY:
                self.ignored.append(f"{table}.{name}")
            elif name in ("comments", "work_notes") and table in _EXTENDS:
                if value:
                    self._say(row["sys_id"], name, value, user)
                    said = True
            else:
                row[name] = value
        if table in _EXTENDS and (said or row != before):  # what changes nothing is no update
            row["priority"] = _LEVELS.get(row["impact"] + row["urgency"], "5")
            done = ("3", "4") if table == "change_request" else ("7", "8")
            row |= {"active": "false" if row["state"] in done else "true", "sys_updated_on": _now()}

    def _say(self, key: str, element: str, text: str, user: str) -> None:
        number = next(self._ids)
        self.put(
            "sys_journal_field",
            {
                "sys_id": f"{number:032x}",
                "element": element,
                "element_id": key,
                "value": text,
                "sys_created_by": self.tables["sys_user"][user]["user_name"],
                "sys_created_on": _now(),
            },
        )
        self._keep_apart(f"{number:032x}", user)

    def _keep_apart(self, key: str, user: str) -> None:
        if user in self.domains:
            self.domains[key] = self.domains[user]

    def _is_seen(self, key: str, user: str) -> bool:
        mine = self.domains.get(user)
        return mine is None or self.domains.get(key, mine) == mine

    def _all(self, table: str) -> list[str]:
        if table != "task" and table not in COLUMNS:
            raise Refusal(400, f"Invalid table {table}")
        return list(_EXTENDS) if table == "task" else [table]

    def _rows(self, table: str) -> list[dict[str, str]]:
        return [row for name in self._all(table) for row in self.tables[name].values()]

    def _look(self, table: str, row: Mapping[str, str], field: str) -> str:
        name, _, inner = field.partition(".")
        allowed = _TASK if table == "task" else COLUMNS[table]
        if name not in allowed:
            raise QueryError(f"no field {field!r} in {table}")
        if not inner:
            return row[name]
        target = self.tables[_REFERENCES[name]].get(row[name])
        return target[inner] if target else ""

    def _script(self, text: str, user: str) -> str:
        self.scripts.append(text)
        return user if text == "javascript:gs.getUserID()" else ""


class _Loader:
    """The sample desk, brought over."""

    def __init__(self, instance: Instance) -> None:
        self._put = instance.put
        self._made = sample.records()
        self._names = {row["name"]: row["id"] for row in self._made["person"]}

    def load(self) -> None:
        for name in sample.GROUPS:
            self._put("sys_user_group", {"sys_id": sys_id(name), "name": name})
        for row in self._made["person"]:
            named = {"name": row["name"], "user_name": row["username"], "email": row["email"]}
            self._put("sys_user", {**named, "sys_id": sys_id(row["id"]), "active": "true",
                                   "department": row["department"]})  # fmt: skip
        for at, row in enumerate(self._made["member"]):
            key = {"user": sys_id(row["person_id"]), "group": sys_id(row["group_name"])}
            self._put("sys_user_grmember", {"sys_id": sys_id(f"member {at}"), **key})
        for row in self._made["item"]:
            owner, group = sys_id(self._names[row["owner"]]), sys_id(row["support_group"])
            self._put("cmdb_ci", {"sys_id": sys_id(row["id"]), "name": row["name"],
            "sys_class_name": row["kind"],
                                  "install_status": row["status"], "location": row["location"],
                                  "owned_by": owner, "support_group": group})  # fmt: skip
        for row in self._made["article"]:
            text = "<p>" + row["text"].replace("\n", "</p><p>") + "</p>"
            self._put("kb_knowledge", {"sys_id": sys_id(row["id"]), "number": row["id"], "text": text,
                                       "short_description": row["title"],
                                       "workflow_state": "published"})  # fmt: skip
        for row in self._made["catalog"]:
            self._put("sc_cat_item", {"sys_id": sys_id(row["id"]), "name": row["name"], "active": "true",
                                      "variables": row["variables"]})  # fmt: skip
        for row in self._made["ticket"]:
            self._ticket(row)
        for row in self._made["journal"]:
            self._put("sys_journal_field", {
                "sys_id": f"{int(row['id'][3:]):032x}", "element_id": sys_id(row["ticket_id"]),
                "element": "work_notes" if row["internal"] else "comments", "value": row["text"],
                "sys_created_by": "desk", "sys_created_on": _theirs(row["created_at"]),
            })  # fmt: skip
        for row in self._made["approval"]:
            links = {"approver": sys_id(row["approver_id"]), "sysapproval": sys_id(row["ticket_id"])}
            self._put("sysapproval_approver", {"sys_id": sys_id(row["id"]), "state": row["state"], **links})

    def _ticket(self, row: Mapping[str, Any]) -> None:
        change = row["kind"] == "change"
        level = {"high": "12", "moderate": "22", "low": "23"}[row["priority"]]
        links = {
            "caller_id": row["requester_id"], "requested_by": row["requester_id"], "cmdb_ci": row["ci_id"],
            "opened_by": row["requester_id"], "assigned_to": row["assignee_id"],
            "assignment_group": row["group_name"],
        }  # fmt: skip
        self._put(
            "change_request" if change else "incident",
            {
                "sys_id": sys_id(row["id"]), "number": row["id"], "short_description": row["title"],
                "sys_class_name": "change_request" if change else "incident",
                "description": row["description"], "category": row["category"],
                "state": (_CHANGES if change else _STATES)[row["state"]],
                "active": "false" if row["state"] == "closed" else "true",
                "impact": level[0], "urgency": level[1], "priority": _LEVELS[level],
                "opened_at": _theirs(row["opened_at"]), "sys_updated_on": _theirs(row["updated_at"]),
                **{name: sys_id(value) for name, value in links.items() if value},
            },
        )  # fmt: skip


def _not_found() -> Refusal:
    return Refusal(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def _theirs(text: str) -> str:
    return text.replace("T", " ").removesuffix("Z")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
