"""The small protocol between the tools and a CRM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from toolcrib import CallContext
from toolcrib.errors import VendorRefused
from toolcrib_crm.models import Conversion
from toolcrib_crm.query import Query
from toolcrib_crm.schema import ObjectSpec, Value

__all__ = ["Backend", "Row", "Values", "unknown"]

Row: TypeAlias = dict[str, Any]
"""A record as a backend read it: JSON values by our field names (dates and times as ISO 8601 text)."""
Values: TypeAlias = Mapping[str, Value]
"""What to write, by our field names, already checked against the allow-list."""


class Backend(Protocol):
    """Nine calls. Ids arrive checked, in their 18-character form; queries and values arrive typed and
    allowed.

    Every call is made for `ctx.principal`: its tenant's data, its credentials. What the vendor refuses raises
    `VendorRefused` (also for a record that is not there); what it cannot do now `Temporary` or `NotSent`.
    """

    async def fetch(self, query: Query, ctx: CallContext) -> Sequence[Row]:
        """The rows of a query, at most `query.limit`, which is always set."""
        ...

    async def fetch_all(self, queries: Sequence[Query], ctx: CallContext) -> Sequence[Sequence[Row]]:
        """The rows of each of several queries, in one go where the CRM can."""
        ...

    async def picklists(self, spec: ObjectSpec, ctx: CallContext) -> Mapping[str, tuple[str, ...]]:
        """The values that fields are chosen from, by our field name, where the CRM knows them."""
        ...

    async def create(self, spec: ObjectSpec, values: Values, ctx: CallContext) -> str:
        """Make a record; its id."""
        ...

    async def update(self, spec: ObjectSpec, record_id: str, values: Values, ctx: CallContext) -> None:
        """Change fields of a record; None empties one."""
        ...

    async def delete(self, spec: ObjectSpec, record_id: str, ctx: CallContext) -> None:
        """Remove a record, and what belongs to it alone."""
        ...

    async def convert_lead(
        self, lead_id: str, account_id: str | None, opportunity_name: str | None, ctx: CallContext
    ) -> Conversion:
        """Make account (unless given), contact and, where named, opportunity of a lead, all or nothing."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


def unknown(spec: ObjectSpec, record_id: str) -> VendorRefused:
    """The answer to an id that no record has."""
    return VendorRefused(
        f"there is no {spec.name} with the id {record_id}",
        remedy="Search for the record, and use the id found",
    )
