"""Salesforce's side of the schema, written down from its object reference and independent of the pack's
models.

One field a word: name, type, longest text, and `c` creatable, `u` updatable, `!` required.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["OBJECTS", "PREFIXES", "VendorField", "described"]


@dataclass(frozen=True, slots=True)
class VendorField:
    """One field as describe shows it."""

    name: str
    type: str
    length: int
    rights: str

    @property
    def textual(self) -> bool:
        """True for every type whose values are strings compared as text."""
        return self.type in ("string", "url", "phone", "picklist", "textarea", "email")


_SYSTEM = (
    "Id:id:18: IsDeleted:boolean:0: CreatedDate:datetime:0: LastModifiedDate:datetime:0: "
    "SystemModstamp:datetime:0:"
)
_PERSON = (
    "Name:string:121: FirstName:string:40:cu LastName:string:80:cu! "
    "Email:email:80:cu Phone:phone:40:cu Title:string:128:cu"
)
_SIZE = "Website:url:255:cu Industry:picklist:255:cu NumberOfEmployees:int:8:cu AnnualRevenue:currency:0:cu"
_TEXT = "Description:textarea:32000:cu"
_KEY = "Toolcrib_Key__c:string:36:cu"
"""A custom field that an administrator made: text, unique, an external id."""
_FIELDS = {
    "Account": f"Name:string:255:cu! Phone:phone:40:cu {_SIZE} BillingCity:string:40:cu "
    f"BillingCountry:string:80:cu {_TEXT}",
    "Contact": f"{_PERSON} AccountId:reference:18:cu Department:string:80:cu {_KEY} {_TEXT}",
    "Lead": f"{_PERSON} {_SIZE} {_TEXT} {_KEY} Company:string:255:cu! LeadSource:picklist:255:cu "
    "Status:picklist:255:cu "
    "Rating:picklist:255:cu IsConverted:boolean:0:c ConvertedAccountId:reference:18: "
    "ConvertedContactId:reference:18: "
    "ConvertedOpportunityId:reference:18:",
    "Opportunity": f"Name:string:120:cu! AccountId:reference:18:cu StageName:picklist:255:cu! "
    "CloseDate:date:0:cu! "
    f"Amount:currency:0:cu IsClosed:boolean:0: IsWon:boolean:0: NextStep:string:255:cu {_TEXT}",
    "Task": f"Type:picklist:255:cu Subject:string:255:cu {_TEXT} {_KEY} ActivityDate:date:0:cu "
    "Status:picklist:255:cu! "
    "WhoId:reference:18:cu WhatId:reference:18:cu AccountId:reference:18:",
}
PREFIXES = {"Account": "001", "Contact": "003", "Lead": "00Q", "Opportunity": "006", "Task": "00T"}
PICKLISTS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Opportunity", "StageName"): (
        "Prospecting",
        "Qualification",
        "Needs Analysis",
        "Value Proposition",
        "Id. Decision Makers",
        "Perception Analysis",
        "Proposal/Price Quote",
        "Negotiation/Review",
        "Closed Won",
        "Closed Lost",
    ),
    ("Task", "Type"): ("Call", "Email", "Meeting", "Other"),
    ("Task", "Status"): ("Not Started", "In Progress", "Completed"),
    ("Lead", "Status"): (
        "Open - Not Contacted",
        "Working - Contacted",
        "Closed - Converted",
        "Closed - Not Converted",
    ),
}


def _field(word: str) -> VendorField:
    name, kind, length, rights = word.split(":")
    return VendorField(name, kind, int(length), rights)


OBJECTS: Mapping[str, Mapping[str, VendorField]] = {
    name: {field.name: field for field in map(_field, f"{_SYSTEM} {words}".split())}
    for name, words in _FIELDS.items()
}


def described(name: str) -> dict[str, Any]:
    """The body of `sobjects/NAME/describe`, as far as clients read it."""
    return {
        "name": name,
        "keyPrefix": PREFIXES[name],
        "queryable": True,
        "createable": True,
        "fields": [
            {
                "name": field.name,
                "type": field.type,
                "length": field.length,
                "createable": "c" in field.rights,
                "updateable": "u" in field.rights,
                "nillable": "!" not in field.rights,
                "picklistValues": [
                    {"value": value, "label": value, "active": True, "defaultValue": False}
                    for value in PICKLISTS.get((name, field.name), ())
                ],
            }
            for field in OBJECTS[name].values()
        ],
    }
