"""Ids of another tenant: whoever asks with one learns nothing, and changes nothing.

On the embedded desk tenants are files. On ServiceNow they are domains of one instance, on Roundup a role of
one tracker that sees what its own organisation made: there the account of the tenant's secret is who asks,
and it is the vendor that keeps them apart.
"""

import pytest

from toolcrib.errors import VendorRefused

TITLE, SAID = "Project Heron is late", "the supplier of Heron went bankrupt"

CALLS = {
    "get_ticket": {},
    "list_journal": {},
    "update_incident": {"changes": {"priority": "low"}},
    "assign": {},
    "add_work_note": {"text": "planted"},
    "resolve": {"code": "solution", "notes": "planted"},
    "add_public_comment": {"text": "planted"},
}


@pytest.fixture
async def theirs(itsm, world, ctx):
    """The id of an incident of the first tenant, with a note and a comment on it."""
    made = await itsm.create_incident(TITLE, SAID, ctx=ctx)
    await itsm.add_work_note(made.id, SAID, ctx=ctx)
    await itsm.add_public_comment(made.id, SAID, ctx=ctx)
    return made.id


@pytest.fixture
async def stranger(itsm, world, make_ctx):
    """Somebody of the second tenant, who has met the desk."""
    await itsm.search_tickets(ctx=make_ctx(**world.stranger))
    return lambda: make_ctx(**world.stranger)


async def refused(call):
    with pytest.raises(VendorRefused) as error:
        await call
    assert "Heron" not in f"{error.value} {error.value!r}"


@pytest.mark.parametrize("tool", CALLS)
async def test_an_id_of_another_tenant_is_refused(itsm, world, theirs, stranger, tool):
    arguments = {"ticket_id": theirs, **CALLS[tool]}
    if tool == "assign":
        arguments["assignee_id"] = world.technician
    before = world.state()
    await refused(getattr(itsm, tool)(**arguments, ctx=stranger()))
    assert world.state() == before


async def test_nothing_of_another_tenant_is_found(itsm, world, theirs, stranger, ctx):
    assert theirs in [each.id for each in (await itsm.search_tickets("Heron", ctx=ctx)).records]
    for kind in ("incident", None):
        found = await itsm.search_tickets("Heron", kind=kind, active_only=False, ctx=stranger())
        assert found.records == () and not found.more
    number = (await itsm.get_ticket(theirs, ctx=ctx)).number
    assert (await itsm.search_tickets(number, ctx=stranger())).records == ()


async def test_no_child_is_hung_on_a_ticket_of_another_tenant(itsm, world, theirs, stranger):
    before = world.state()
    await refused(itsm.create_incident("planted", "x", parent_id=theirs, ctx=stranger()))
    if "create_change" not in world.lacks:
        await refused(itsm.create_change("planted", "x", parent_id=theirs, ctx=stranger()))
    mine = await itsm.create_incident("Ours", "x", ctx=stranger())
    await refused(itsm.update_incident(mine.id, {"parent_id": theirs}, ctx=stranger()))
    rest = [row for row in world.state() if "Ours" not in str(row)]
    assert "planted" not in str(rest) and "planted" not in str(before)


@pytest.mark.parametrize("world", ["embedded", "servicenow"], indirect=True)  # Roundup has no changes
async def test_a_change_of_another_tenant_is_not_decided(itsm, world, stranger, ctx):
    change = world.extra["change"]
    if fake := world.extra.get("fake"):
        fake.instance.domains[change] = "acme"
    else:
        change = (await itsm.create_change("Heron moves", "x", ctx=ctx)).id
    before = world.state()
    await refused(itsm.decide_change_approval(change, "approve", "planted", ctx=stranger()))
    assert world.state() == before


async def test_each_tenant_works_on_what_is_its_own(itsm, world, theirs, stranger, ctx):
    """The twin: the same calls with ids of one's own go through."""
    mine = (await itsm.create_incident("Ours", "x", ctx=stranger())).id
    assert (await itsm.get_ticket(mine, ctx=stranger())).title == "Ours"
    await itsm.update_incident(mine, {"priority": "low"}, ctx=stranger())
    await itsm.add_work_note(mine, "looked at it", ctx=stranger())
    await itsm.add_public_comment(mine, "it is done", ctx=stranger())
    said = {entry.text for entry in (await itsm.list_journal(mine, ctx=stranger())).records}
    assert {"looked at it", "it is done"} <= said
    assert mine in [each.id for each in (await itsm.search_tickets("Ours", ctx=stranger())).records]
    assert {entry.text for entry in (await itsm.list_journal(theirs, ctx=ctx)).records} >= {SAID}
