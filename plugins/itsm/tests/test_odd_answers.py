"""Answers in which anything may stand anywhere: the pack raises what the executor understands, and a write
that was answered oddly is left open.

The requests go to the real Roundup and to the fake ServiceNow; each answer in turn is spoiled on the way.
"""

import itertools
import json

import httpx
import pytest

from toolcrib.errors import ToolError, VendorRefused
from toolcrib_itsm import ITSM, ITSMSettings
from toolcrib_itsm.roundup import RoundupBackend
from toolcrib_itsm.servicenow import ServiceNowBackend

pytestmark = pytest.mark.parametrize("world", ["roundup", "servicenow"], indirect=True)

ODD = [None, 7, True, "x", [], {}, [None], {"value": []}]


def rows_in(whole):
    """Where an answer has its records: a list, or one of them in a list."""
    found = whole.get("result", whole.get("data")) if isinstance(whole, dict) else None
    if isinstance(found, dict) and "collection" in found:
        found = found["collection"]
    if isinstance(found, dict):
        return [found.get("attributes", found)]
    return [row for row in found or [] if isinstance(row, dict)]


def every_cell(whole, odd):
    for row in rows_in(whole):
        row.update(dict.fromkeys(row, odd))


def every_cell_but_the_id(whole, odd):
    for row in rows_in(whole):
        row.update({name: odd for name in row if name not in ("id", "sys_id")})


def no_cell(whole, odd):
    for row in rows_in(whole):
        row.clear()


def every_part(whole, odd):
    for name in list(whole):
        whole[name] = odd


def below(whole, odd):
    for name, part in whole.items():
        if isinstance(part, dict):
            whole[name] = dict.fromkeys(part, odd)
        elif isinstance(part, list):
            whole[name] = [odd for _ in part] or [odd]


SPOILERS = [every_cell, every_cell_but_the_id, no_cell, every_part, below]


class Spoiled(httpx.AsyncBaseTransport):
    """The way to the vendor, on which the answer number `at` is spoiled."""

    def __init__(self, inner):
        self.inner, self.at, self.spoil, self.odd = inner, -1, None, None
        self.seen, self.spoiled = 0, ""

    def arm(self, at, spoil, odd):
        self.at, self.spoil, self.odd, self.seen, self.spoiled = at, spoil, odd, 0, ""

    async def handle_async_request(self, request):
        reply = await self.inner.handle_async_request(request)
        number, self.seen = self.seen, self.seen + 1
        if number != self.at:
            return reply
        raw = await reply.aread()
        await reply.aclose()
        whole = json.loads(raw) if raw else {}
        self.spoil(whole, self.odd)
        self.spoiled = f"{request.method} {request.url.path}"
        headers = {name: text for name, text in reply.headers.items() if name != "content-length"}
        body = httpx.ByteStream(json.dumps(whole).encode())
        return httpx.Response(reply.status_code, headers=headers, stream=body)

    async def aclose(self):
        await self.inner.aclose()


@pytest.fixture
async def way(world):
    fake = world.extra.get("fake")
    made = Spoiled(fake.transport() if fake else httpx.AsyncHTTPTransport())
    if fake:
        settings = ITSMSettings(backend="servicenow", instance="acme")
        backend = ServiceNowBackend(settings, transport=made)
    else:
        settings = ITSMSettings(backend="roundup", url=world.extra["tracker"].url, tracker="extended")
        backend = RoundupBackend(settings, transport=made)
    made.itsm = ITSM(backend, settings)
    yield made
    await backend.close()


READS = {
    "search": lambda itsm, world, ctx: itsm.search_tickets("vpn", limit=3, ctx=ctx),
    "ticket": lambda itsm, world, ctx: itsm.get_ticket(world.known, ctx=ctx),
    "journal": lambda itsm, world, ctx: itsm.list_journal(world.known, limit=3, ctx=ctx),
    "knowledge": lambda itsm, world, ctx: itsm.search_knowledge("vpn", ctx=ctx),
    "ci": lambda itsm, world, ctx: itsm.get_ci("label-printer-001", ctx=ctx),
    "people": lambda itsm, world, ctx: itsm.find_user("a", limit=3, ctx=ctx),
}
WRITES = {
    "create": lambda itsm, world, ctx: itsm.create_incident("Odd", "x", ci_id=world.ci, ctx=ctx),
    "update": lambda itsm, world, ctx: itsm.update_incident(world.known, {"priority": "low"}, ctx=ctx),
    "assign": lambda itsm, world, ctx: itsm.assign(world.known, assignee_id=world.technician, ctx=ctx),
    "note": lambda itsm, world, ctx: itsm.add_work_note(world.known, "odd", ctx=ctx),
    "comment": lambda itsm, world, ctx: itsm.add_public_comment(world.known, "odd", ctx=ctx),
    "order": lambda itsm, world, ctx: itsm.submit_catalog_request("Second screen", ctx=ctx),
    "decide": lambda itsm, world, ctx: itsm.decide_change_approval(
        world.extra.get("change", world.known), "approve", "odd", ctx=ctx
    ),
}


async def spoil_each(way, world, make_ctx, call):
    """Spoil each answer of a call in turn, in some way; what was raised, and which request it followed."""
    way.arm(-1, None, None)
    try:
        await call(way.itsm, world, make_ctx())
    except VendorRefused:
        return  # what this backend has no place for, or has done before
    ways = itertools.cycle(itertools.product(SPOILERS, ODD))
    for at in range(way.seen):
        for _ in range(4 if world.name == "roundup" else 8):
            spoil, odd = next(ways)
            way.arm(at, spoil, odd)
            try:
                await call(way.itsm, world, make_ctx())
            except ToolError as error:
                yield way.spoiled, spoil.__name__, odd, error


@pytest.mark.parametrize("name", READS)
async def test_no_part_of_an_answer_to_a_read_is_believed_to_be_of_its_kind(way, world, make_ctx, name):
    async for _, spoil, odd, error in spoil_each(way, world, make_ctx, READS[name]):
        assert str(error), (spoil, odd)


@pytest.mark.parametrize("name", WRITES)
async def test_no_part_of_an_answer_to_a_write_is_and_the_write_is_left_open(way, world, make_ctx, name):
    async for request, spoil, odd, error in spoil_each(way, world, make_ctx, WRITES[name]):
        said_on_no_issue = request.endswith("/rest/data/msg")  # a message that belongs to no issue
        if request and not request.startswith("GET ") and not said_on_no_issue:
            assert error.happened is None, (spoil, odd, error)
