"""Strings that would be something else than text, if they were not kept text: each arrives as data."""

import pytest

from toolcrib.errors import VendorRefused

NASTY = [
    "' OR '1'='1",
    "'; DROP TABLE ticket; --",
    '" OR 1=1 --',
    "x^ORnumberISNOTEMPTY",
    "x^NQactive=true",
    "^^^ORsys_idISNOTEMPTY",
    "javascript:gs.getUserID()",
    " JavaScript :gs.sleep(9999)",
    "x^short_descriptionLIKEjavascript:gs.log(1)",
    "javascript:javascript:gs.log(1)",
    "%' ESCAPE '!",
    "a%b_c*",
    "x&@page_size=100000&@fields=password",
    "x&sysparm_limit=1000000",
    "../../user/1",
    "<script>alert(1)</script>&lt;",
    "{{7*7}} ${7*7} %{7*7}",
    "😀🔒 \u202eمرحبا\u200f \u0301",
    "\\u0027 \\x00 \\",
]


@pytest.mark.parametrize("text", NASTY)
async def test_it_is_written_and_read_back_as_it_is(itsm, world, ctx, text):
    made = await itsm.create_incident(text[:160], f"{text}\r\n{text}", ctx=ctx)
    ticket = await itsm.get_ticket(made.id, ctx=ctx)
    described = f"{text}\n{text}"
    if world.name == "roundup":  # it strips the blanks around a text
        described = described.strip()
    assert ticket.title.strip() == text.strip()
    assert ticket.description.replace("\r\n", "\n") == described
    await itsm.add_work_note(made.id, text, ctx=ctx)
    assert (await itsm.list_journal(made.id, ctx=ctx)).records[0].text.strip() == text.strip()


@pytest.mark.parametrize("text", NASTY)
async def test_it_is_searched_for_as_it_is(itsm, world, ctx, text):
    made = await itsm.create_incident(f"<{text}>", "x", ctx=ctx)
    found = await itsm.search_tickets(text, limit=50, ctx=ctx)
    assert made.id in [each.id for each in found.records]
    assert world.known not in [each.id for each in found.records]
    for each in found.records:
        assert text.strip().casefold() in f"{each.title}\n{each.description}".casefold()


@pytest.mark.parametrize("text", NASTY)
async def test_nobody_and_nothing_is_found_by_it(itsm, world, ctx, text):
    before = world.state()
    assert (await itsm.find_user(text, ctx=ctx)).records == ()
    assert (await itsm.search_knowledge(text, ctx=ctx)).records == ()
    with pytest.raises(VendorRefused, match="no configuration item"):
        await itsm.get_ci(text, ctx=ctx)
    assert (await itsm.search_tickets(assignee_id="0", ctx=ctx)).records == ()
    assert world.state() == before


@pytest.mark.parametrize(
    "ticket", ["1/../2", "1?x=1", "1^state=7", "1 OR 1=1", "javascript:1", "١", "..", "%2e%2e"]
)
async def test_an_id_that_is_none_reaches_nobody(itsm, world, ctx, ticket):
    before = world.state()
    with pytest.raises(VendorRefused):
        await itsm.get_ticket(ticket, ctx=ctx)
    with pytest.raises(VendorRefused):
        await itsm.add_public_comment(ticket, "x", ctx=ctx)
    assert world.state() == before
