"""Roundup's REST API: what a request looks like, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from toolcrib import CallContext
from toolcrib.errors import ToolError, VendorRefused
from toolcrib.kit import BasicLogin, Client, fit, path

if TYPE_CHECKING:
    import httpx

__all__ = ["SECRET", "Found", "Item", "Tracker", "account"]

SECRET = "roundup"  # noqa: S105 (the secret's name)
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One item by property name, with the tag that a change of it must show."""

    id: str
    values: Values
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a class; `more` says that there is another."""

    items: tuple[Item, ...]
    more: bool


class Tracker:
    """The tracker at `url`, asked with the calling principal's user name and password."""

    def __init__(self, url: str, timeout: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        parts = urlsplit(url)
        base = url.rstrip("/")
        # Roundup takes a request only from its own pages, or from a program that says it is one.
        same_site = {
            "x-requested-with": "rest",
            "origin": f"{parts.scheme}://{parts.netloc}",
            "referer": f"{base}/",
        }
        self._client = Client(
            f"{base}/rest/data",
            vendor="Roundup",
            credentials=BasicLogin(SECRET),
            timeout=timeout,
            headers=same_site,
            words=_words,
            transport=transport,
        )

    async def get(self, kind: str, item_id: str, fields: str, ctx: CallContext) -> Item | None:
        """One item; None where there is none, or the id is no number."""
        if not _is_number(item_id):
            return None  # Roundup would look such a one up as a name
        answer = await self._client.get(
            path(kind, item_id), ctx, query={"@fields": fields, "@verbose": 3}, accept=(404,)
        )
        if answer.status == 404:
            return None
        data = _data(answer.json())
        return Item(
            _id(data),
            fit(dict[str, Any], data.get("attributes"), vendor="Roundup"),
            fit(str, data.get("@etag"), vendor="Roundup"),
        )

    async def find(
        self,
        kind: str,
        fields: str,
        ctx: CallContext,
        *,
        query: Sequence[tuple[str, str]],
        size: int,
        page: int = 1,
    ) -> Found:
        """One page of a class; a field that is named twice must have both values (an id: one of them)."""
        asked = [
            *query,
            ("@fields", fields),
            ("@verbose", "3"),
            ("@page_size", str(size)),
            ("@page_index", str(page)),
        ]
        answer = await self._client.get(f"{path(kind)}?{urlencode(asked)}", ctx)
        data = _data(answer.json())
        rows = fit(list[dict[str, Any]], data.get("collection"), vendor="Roundup")
        links = data.get("@links")
        return Found(
            tuple({_id(row): Item(_id(row), row) for row in rows[:size]}.values()),
            isinstance(links, dict) and "next" in links,
        )

    async def create(self, kind: str, values: Values, ctx: CallContext) -> str:
        """Make an item; its id."""
        given = {name: value for name, value in values.items() if value is not None}
        answer = await self._client.request("POST", path(kind), ctx, json=given, part=kind)
        return _id(_data(answer.json()))

    async def change(self, kind: str, item: Item, values: Values, ctx: CallContext) -> bool:
        """Change an item as it was read; False where somebody has changed it since, and nothing was done."""
        sent = {"@op": "replace", **{name: "" if value is None else value for name, value in values.items()}}
        answer = await self._client.request(
            "PATCH", path(kind, item.id), ctx, json=sent, headers={"if-match": item.etag}, accept=(412,)
        )
        if answer.status == 412:
            return False
        _data(answer.json())
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


async def account(ctx: CallContext) -> str:
    """The user name of the secret: Roundup wants to be told who wrote a message."""
    try:
        return str(json.loads((await ctx.secret(SECRET)).reveal())["username"])
    except (ValueError, KeyError, TypeError):
        raise VendorRefused(
            f"the secret {SECRET!r} is no JSON object with username and password",
            remedy="Set it with `toolcrib secrets set`",
        ) from None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _data(answer: Any) -> dict[str, Any]:
    found = answer.get("data") if isinstance(answer, dict) else None
    return fit(dict[str, Any], found, vendor="Roundup")


def _id(row: Values) -> str:
    found = row.get("id")
    if not isinstance(found, str) or not _is_number(found):
        raise ToolError("Roundup's answer has an item without an id", rule="an id is a number")
    return found


def _words(content: Any) -> str:
    """`{"error": {"status": 403, "msg": "..."}}`, or a line of text."""
    error = content.get("error") if isinstance(content, dict) else None
    return str(error.get("msg")) if isinstance(error, dict) else str(content)
