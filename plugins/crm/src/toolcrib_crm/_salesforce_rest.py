"""Salesforce's REST API, at whichever org the calling principal's login leads to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from toolcrib import CallContext
from toolcrib.errors import ToolError, VendorRefused
from toolcrib.kit import (
    Answer,
    Client,
    Page,
    TokenLogin,
    collect,
    fit,
    in_batches,
    path,
    plain_words,
    refusal,
)
from toolcrib_crm import _salesforce_soap as soap
from toolcrib_crm._salesforce_login import SECRET, Door
from toolcrib_crm.settings import CRMSettings

if TYPE_CHECKING:
    import httpx

__all__ = ["Org", "part"]

_PASSING = {"REQUEST_LIMIT_EXCEEDED", "UNABLE_TO_LOCK_ROW"}
"""Codes of refusals that pass: a limit is checked before the work, a lock conflict is rolled back."""
_NEXT_PAGE = re.compile(r"/services/data/v[0-9.]+/query/[A-Za-z0-9-]+")
_MOST_BYTES = 32 * 1024 * 1024
"""Of one answer: a page has up to 2,000 records."""
_MOST_IN_BATCH = 25


class Org:
    """One client for all orgs, over one pool; tokens are kept apart by tenant, user and secret."""

    def __init__(self, settings: CRMSettings, transport: httpx.AsyncBaseTransport | None) -> None:
        self._version = settings.api_version
        common: dict[str, Any] = {
            "vendor": "Salesforce",
            "timeout": settings.timeout,
            "max_bytes": _MOST_BYTES,
            "transport": transport,
            "words": _words,
            "turned_away": _turned_away,
        }
        address = f"https://{settings.domain}.salesforce.com"
        self._door = Client(address, **common)
        self._login = TokenLogin(SECRET, Door(settings, self._door).log_in)
        self._client = Client(address, credentials=self._login, **common)

    async def send(self, method: str, where: str, ctx: CallContext, **rest: Any) -> Answer:
        """One request; `where` is relative to the version's root, for the rest see `Client.request`."""
        return await self._ask(method, f"/services/data/v{self._version}{where}", ctx, **rest)

    async def query(self, text: str, ctx: CallContext, *, limit: int) -> tuple[dict[str, Any], ...]:
        """At most `limit` records, each once."""
        first = await self.send("GET", "/query/", ctx, query={"q": text})
        return await self._pages(first.json(), ctx, limit)

    async def queries(
        self, texts: Sequence[str], ctx: CallContext, *, limits: Sequence[int]
    ) -> tuple[tuple[dict[str, Any], ...], ...]:
        """Several queries, up to 25 in one request; what one is refused with, all are."""

        async def send(batch: Sequence[str]) -> list[Any]:
            root = f"v{self._version}/query/?"
            asked = [{"method": "GET", "url": root + urlencode({"q": text})} for text in batch]
            body = {"batchRequests": asked, "haltOnError": True}
            answer = await self.send("POST", "/composite/batch", ctx, json=body)
            found: list[Any] = part(answer.json(), "results", list)
            return found

        results = await in_batches(texts, send, size=_MOST_IN_BATCH, done="answered")
        found = [self._of_batch(result) for result in results]
        return tuple([await self._pages(page, ctx, limit) for page, limit in zip(found, limits, strict=True)])

    def _of_batch(self, result: Any) -> Any:
        status, content = part(result, "statusCode", int), result.get("result")
        if 200 <= status < 300:
            return content
        words = plain_words(_words(content) if isinstance(content, list) else "")
        raise refusal("Salesforce", status, words, turned_away=_turned_away(content))

    async def _pages(self, first: Any, ctx: CallContext, limit: int) -> tuple[dict[str, Any], ...]:
        async def turn(url: str | None) -> Page[dict[str, Any], str]:
            page = first if url is None else (await self._ask("GET", url, ctx)).json()
            records = fit(list[dict[str, Any]], part(page, "records", list), vendor="Salesforce")
            return Page(records, None if part(page, "done", bool) else _next(page))

        return (await collect(turn, limit=limit, key=_identity)).rows

    async def convert(
        self, lead: str, account: str | None, deal: str | None, status: str, ctx: CallContext
    ) -> str:
        """The answer to `convertLead`, which only SOAP has; renews the session once, as the client does for
        REST.
        """
        for _ in range(2):
            token = await self._login.token(ctx)
            hidden = await self._login.hidden(ctx)
            body = soap.convert_request(token.value, lead, account, deal, status)
            answer = await self._door.at(token.server).request(
                "POST",
                f"/services/Soap/u/{self._version}",
                ctx,
                body=body,
                headers=soap.HEADERS,
                accept=(500,),
                hide=hidden,
            )
            code, words = soap.fault(answer.text) or ("", "")
            if code != "INVALID_SESSION_ID":
                break
            await self._login.renew(ctx, {"authorization": f"Bearer {token.value}"})
        if soap.element(answer.text, "success") == "true":
            return answer.text
        words = plain_words(words, hide=hidden)
        if not code:
            raise ToolError(f"Salesforce answered {answer.status} with no answer to convertLead")
        if code in _PASSING:
            raise refusal("Salesforce", answer.status, f"{code}: {words}", turned_away=True)
        raise VendorRefused(f"Salesforce refused ({answer.status} {code}): {words}")

    async def describe(self, name: str, ctx: CallContext) -> list[dict[str, Any]]:
        """The fields of an object, as the org has them."""
        answer = (await self.send("GET", path("sobjects", name, "describe"), ctx)).json()
        return fit(list[dict[str, Any]], part(answer, "fields", list), vendor="Salesforce")

    async def close(self) -> None:
        """Close the connections, and forget who is logged in."""
        self._login.forget()
        await self._door.close()
        await self._client.close()

    async def _ask(self, method: str, where: str, ctx: CallContext, **rest: Any) -> Answer:
        token = await self._login.token(ctx)
        return await self._client.at(token.server).request(method, where, ctx, **rest)


def part(answer: Any, name: str, kind: type[Any]) -> Any:
    """A member of a JSON object; `ToolError` where there is none of this kind."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, kind):
        raise ToolError(
            f"Salesforce's answer has no {name!r}",
            rule="the answer is what the REST API documents",
            remedy="Tell the operator: the vendor has changed, or the address in the settings is wrong",
        )
    return found


def _next(page: Mapping[str, Any]) -> str:
    url: str = part(page, "nextRecordsUrl", str)
    if not _NEXT_PAGE.fullmatch(url):
        raise ToolError("the address of Salesforce's next page is no such address")
    return url


def _identity(record: dict[str, Any]) -> object:
    """What tells a record from others; one that does not say who it is equals none."""
    about = record.get("attributes")
    url = about.get("url") if isinstance(about, dict) else None
    return url if isinstance(url, str) and url else object()


def _codes(content: Any) -> list[str]:
    errors = content if isinstance(content, list) else [content]
    return [str(error.get("errorCode") or "") for error in errors if isinstance(error, dict)]


def _turned_away(content: Any) -> bool:
    return bool(_PASSING & set(_codes(content)))


def _words(content: Any) -> str:
    """`[{"errorCode", "message"}]`, an OAuth error, or anything else."""
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict):
        return str(first)
    code = str(first.get("errorCode") or first.get("error") or "")
    said = str(first.get("message") or first.get("error_description") or "")
    return f"{code}: {said}" if code and said else code or said
