"""Following a vendor's pages, never further than was asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from toolcrib.errors import ToolError

__all__ = ["Page", "Rows", "collect"]

T = TypeVar("T")
C = TypeVar("C", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Page(Generic[T, C]):
    """One page as it came; `next` leads to the one after it (cursor, offset, link), None at the end."""

    rows: Sequence[T]
    next: C | None = None


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """The rows collected; `has_more` says that the vendor has others beyond the cap."""

    rows: tuple[T, ...]
    has_more: bool = False


async def collect(
    turn: Callable[[C | None], Awaitable[Page[T, C]]],
    *,
    limit: int,
    key: Callable[[T], Hashable] | None = None,
    most_pages: int = 200,
) -> Rows[T]:
    """At most `limit` rows; `turn(None)` fetches the first page, `turn(page.next)` each other.

    Rows whose `key` came before are dropped: pages shift while records are made. Raises `ToolError` for pages
    that lead in a circle, and for more than `most_pages`.
    """
    rows: list[T] = []
    seen: set[Hashable] = set()
    visited: set[Hashable] = set()
    cursor: C | None = None
    for _ in range(most_pages):
        page = await turn(cursor)
        for row in page.rows:
            name = key(row) if key else None
            if key and name in seen:
                continue
            seen.add(name)
            if len(rows) == limit:
                return Rows(tuple(rows), has_more=True)
            rows.append(row)
        if page.next is None:
            return Rows(tuple(rows))
        if len(rows) == limit:
            return Rows(tuple(rows), has_more=True)
        if page.next in visited:
            raise ToolError("the vendor's pages lead in a circle", rule="each page leads to another one")
        visited.add(cursor := page.next)
    raise ToolError(
        f"the vendor has more than {most_pages} pages",
        rule=f"at most {most_pages} pages are followed in one call",
        remedy="Narrow the search",
    )
