"""The fake org's records, and the rules by which it takes changes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from toolcrib_crm.testing._schema import OBJECTS, PREFIXES, VendorField

__all__ = ["Refusal", "Store"]

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Refusal(Exception):
    """An error as the REST API sends it: status, code and message."""

    def __init__(self, status: int, code: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.fields = status, code, message, fields


class Store:
    """Records by object and id. Not thread-safe: the service holds its lock."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in OBJECTS}
        self._gone: set[str] = set()
        self._numbers = itertools.count(1)

    def snapshot(self) -> dict[str, dict[str, dict[str, Any]]]:
        """A copy of everything, to compare with later."""
        return {name: {key: dict(row) for key, row in rows.items()} for name, rows in self._records.items()}

    def load(self, name: str, values: Mapping[str, Any]) -> None:
        """Put a record in as it is, system fields included."""
        self._records[name][values["Id"]] = {
            **dict.fromkeys(OBJECTS[name]),
            "IsDeleted": False,
            "SystemModstamp": values["LastModifiedDate"],
            **values,
        }

    def all(self, name: str) -> list[dict[str, Any]]:
        """Every record as a query sees it, with derived fields and the parent account's (`Account.Name`)."""
        return [self._seen(name, row) for row in self._records[name].values()]

    def get(self, name: str, record_id: str) -> dict[str, Any]:
        """One record as a query sees it."""
        return self._seen(name, self._found(name, record_id))

    def create(self, name: str, values: Mapping[str, Any]) -> str:
        """A new record's id."""
        self._check(name, values, "c", "insert")
        for field in OBJECTS[name].values():
            if "!" in field.rights and not str(values.get(field.name) or "").strip():
                raise Refusal(
                    400,
                    "REQUIRED_FIELD_MISSING",
                    f"Required fields are missing: [{field.name}]",
                    (field.name,),
                )
        record_id = self._new_id(name)
        self.load(
            name,
            {
                **self._defaults(name),
                **values,
                "Id": record_id,
                "CreatedDate": _now(),
                "LastModifiedDate": _now(),
            },
        )
        return record_id

    def update(self, name: str, record_id: str, values: Mapping[str, Any]) -> None:
        """Change fields of a record."""
        row = self._found(name, record_id)
        self._check(name, values, "u", "update")
        for key, value in values.items():
            if "!" in OBJECTS[name][key].rights and not str(value or "").strip():
                raise Refusal(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{key}]", (key,))
        row.update(values, LastModifiedDate=_now(), SystemModstamp=_now())

    def delete(self, name: str, record_id: str) -> None:
        """Remove a record and its children; an account with a deal won stays."""
        self._found(name, record_id)
        if name == "Account":
            deals = [row for row in self.all("Opportunity") if row["AccountId"] == record_id]
            if any(row["IsWon"] for row in deals):
                words = "Your attempt could not be completed because some opportunities are Closed Won"
                raise Refusal(400, "DELETE_FAILED", words)
            self._drop("Opportunity", "AccountId", record_id)
            self._drop("Contact", "AccountId", record_id)
        for link in ("WhoId", "WhatId"):
            self._drop("Task", link, record_id)
        del self._records[name][record_id]
        self._gone.add(record_id)

    def convert(
        self, lead_id: str, account_id: str | None, deal: str | None, status: str
    ) -> tuple[str, str, str]:
        """Account, contact and opportunity ids of a converted lead; the last is empty where none was asked
        for.
        """
        lead = self._found("Lead", lead_id)
        if lead["IsConverted"]:
            raise Refusal(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        if status != "Closed - Converted":
            raise Refusal(400, "INVALID_STATUS", f"invalid convertedStatus: {status}")
        if account_id:
            self._found("Account", account_id)
        account = account_id or self.create("Account", {"Name": lead["Company"], "Website": lead["Website"]})
        person = {key: lead[key] for key in ("FirstName", "LastName", "Email", "Phone", "Title")}
        contact = self.create("Contact", {**person, "AccountId": account})
        opportunity = ""
        if deal:
            closes = f"{datetime.now(UTC).year}-12-31"
            new = {"Name": deal, "AccountId": account, "StageName": "Prospecting", "CloseDate": closes}
            opportunity = self.create("Opportunity", new)
        lead.update(IsConverted=True, Status=status, ConvertedAccountId=account, ConvertedContactId=contact)
        for task in self._records["Task"].values():
            if task["WhoId"] == lead_id:
                task["WhoId"] = contact
        return account, contact, opportunity

    def _drop(self, name: str, link: str, record_id: str) -> None:
        gone = [key for key, row in self._records[name].items() if row[link] == record_id]
        for key in gone:
            del self._records[name][key]
        self._gone.update(gone)

    def _found(self, name: str, record_id: str) -> dict[str, Any]:
        if not re.fullmatch("[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", record_id) or not record_id.startswith(
            PREFIXES[name]
        ):
            raise Refusal(400, "MALFORMED_ID", f"{name} ID: id value of incorrect type: {record_id}", ("Id",))
        if record_id in self._gone:
            raise Refusal(404, "ENTITY_IS_DELETED", "entity is deleted")
        row = next((row for key, row in self._records[name].items() if key.startswith(record_id)), None)
        if row is None:
            raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")
        return row

    def _check(self, name: str, values: Mapping[str, Any], right: str, verb: str) -> None:
        for key, value in values.items():
            field = OBJECTS[name].get(key)
            if field is None:
                raise Refusal(400, "INVALID_FIELD", f"No such column '{key}' on sobject of type {name}")
            if right not in field.rights:
                words = (
                    f"Unable to create/update fields: {key}. Please check the security settings of this field"
                )
                raise Refusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", f"{words} ({verb})", (key,))
            if value is not None:
                self._check_value(field, value)

    def _check_value(self, field: VendorField, value: Any) -> None:
        if not _holds(field, value):
            raise Refusal(
                400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of {field.type} from {value!r:.40}"
            )
        if field.type == "reference":
            self._check_link(field, value)
        elif field.textual and field.length < len(value):
            words = f"{field.name}: data value too large: (max length={field.length})"
            raise Refusal(400, "STRING_TOO_LONG", words, (field.name,))
        elif field.type == "email" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            raise Refusal(
                400, "INVALID_EMAIL_ADDRESS", f"{field.name}: invalid email address: {value}", (field.name,)
            )

    def _check_link(self, field: VendorField, value: str) -> None:
        if not re.fullmatch("[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", value):
            raise Refusal(
                400, "MALFORMED_ID", f"{field.name}: id value of incorrect type: {value}", (field.name,)
            )
        allowed = {
            "AccountId": ("Account",),
            "WhoId": ("Contact", "Lead"),
            "WhatId": ("Account", "Opportunity"),
        }
        if not any(value in self._records[name] for name in allowed[field.name]):
            raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", (field.name,))

    def _seen(self, name: str, row: dict[str, Any]) -> dict[str, Any]:
        seen = dict(row)
        if name in ("Contact", "Lead"):
            seen["Name"] = " ".join(part for part in (row["FirstName"], row["LastName"]) if part)
        if name == "Opportunity":
            seen.update(
                IsClosed=row["StageName"].startswith("Closed"), IsWon=row["StageName"] == "Closed Won"
            )
        if name == "Task":
            seen["AccountId"] = self._account_behind(row)
        if name != "Account" and "AccountId" in seen:
            account = self._records["Account"].get(seen["AccountId"]) or dict.fromkeys(OBJECTS["Account"])
            seen.update({f"Account.{key}": value for key, value in account.items()})
        return seen

    def _account_behind(self, task: Mapping[str, Any]) -> str | None:
        if task["WhatId"] in self._records["Account"]:
            return str(task["WhatId"])
        parent = (
            self._records["Opportunity"].get(task["WhatId"])
            or self._records["Contact"].get(task["WhoId"])
            or {}
        )
        return parent.get("AccountId")

    def _defaults(self, name: str) -> dict[str, Any]:
        return {"IsConverted": False, "Status": "Open - Not Contacted"} if name == "Lead" else {}

    def _new_id(self, name: str) -> str:
        number, digits = next(self._numbers), ""
        while number:
            number, digit = divmod(number, 62)
            digits = _ALPHABET[digit] + digits
        short = f"{PREFIXES[name]}fk{digits:0>10}"
        blocks = (short[start : start + 5] for start in (0, 5, 10))
        marks = (sum(1 << at for at, char in enumerate(block) if "A" <= char <= "Z") for block in blocks)
        return short + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[mark] for mark in marks)


def _holds(field: VendorField, value: Any) -> bool:
    if field.type == "date":
        return isinstance(value, str) and _is_date(value)
    if field.type == "boolean":
        return isinstance(value, bool)
    if field.type in ("int", "currency"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)


def _is_date(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
