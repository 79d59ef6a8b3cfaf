"""What the tools promise, on every backend alike."""

import pytest

from toolcrib.errors import VendorRefused

NOTE = "internal: the caller's manager asked for this 🔒"
ANSWER = "Dear all,\nit works again. \u202eمرحبا 😀 <b>&amp;"


def lacking(world, tool):
    """Whether the backend has no place for the tool."""
    return tool in world.lacks


# --- reading --------------------------------------------------------------------------------------


async def test_a_ticket_is_found_by_title_state_and_number(itsm, world, ctx):
    ticket = await itsm.get_ticket(world.known, ctx=ctx)
    assert (ticket.id, ticket.kind, ticket.state, ticket.active) == (world.known, "incident", "new", True)
    assert ticket.requester_id == world.requester
    assert "certificate not found" in ticket.description
    assert ticket.opened_at.utcoffset().total_seconds() == 0
    for text in ("VPN drops", "vpn DROPS", ticket.number):
        found = await itsm.search_tickets(text, ctx=ctx)
        assert world.known in [each.id for each in found.records], text
    fresh = await itsm.search_tickets(state="new", ctx=ctx)
    assert {world.known, world.other} <= {each.id for each in fresh.records}
    assert {each.state for each in fresh.records} == {"new"}


async def test_a_search_is_narrowed_by_each_field(itsm, world, ctx):
    await itsm.assign(world.other, assignee_id=world.technician, ctx=ctx)
    mine = await itsm.search_tickets(assignee_id=world.technician, limit=100, ctx=ctx)
    assert world.other in [each.id for each in mine.records]
    assert {each.assignee_id for each in mine.records} == {world.technician}
    asked = await itsm.search_tickets(requester_id=world.requester, limit=100, ctx=ctx)
    assert {each.requester_id for each in asked.records} == {world.requester}
    moderate = await itsm.search_tickets(priority="moderate", limit=100, ctx=ctx)
    assert {each.priority for each in moderate.records} == {"moderate"}
    assert (await itsm.search_tickets("no such words anywhere", ctx=ctx)).records == ()


async def test_what_is_done_is_left_out_unless_asked_for(itsm, world, ctx):
    await itsm.resolve(world.known, "solution", "done", ctx=ctx)
    still_open = await itsm.search_tickets("VPN drops", ctx=ctx)
    assert world.known not in [each.id for each in still_open.records]
    everything = await itsm.search_tickets("VPN drops", active_only=False, ctx=ctx)
    assert world.known in [each.id for each in everything.records]
    resolved = await itsm.search_tickets(state="resolved", active_only=False, ctx=ctx)
    assert world.known in [each.id for each in resolved.records]


async def test_pages_are_followed_to_the_end_and_capped(world, ctx):
    itsm, seen, page = world.itsm, [], 1
    while True:
        found = await itsm.search_tickets(limit=2, page=page, ctx=ctx)
        seen += [each.id for each in found.records]
        if not found.more or page == 5:
            break
        assert len(found.records) == 2
        page += 1
    assert len(seen) == len(set(seen)) >= 3
    narrow = world.with_settings(row_cap=1)
    capped = await narrow.search_tickets(limit=1000, ctx=ctx)
    assert (len(capped.records), capped.more) == (1, True)
    assert (await itsm.search_tickets(limit=2, page=900, ctx=ctx)).records == ()


@pytest.mark.parametrize("ticket", ["0", "INC9999999", "99999999", "f" * 32])
async def test_a_ticket_that_is_not_there_is_refused(world, ctx, ticket):
    before = world.state()
    for call in (
        lambda: world.itsm.get_ticket(ticket, ctx=ctx),
        lambda: world.itsm.list_journal(ticket, ctx=ctx),
        lambda: world.itsm.update_incident(ticket, {"priority": "low"}, ctx=ctx),
        lambda: world.itsm.add_work_note(ticket, "x", ctx=ctx),
        lambda: world.itsm.add_public_comment(ticket, "x", ctx=ctx),
        lambda: world.itsm.resolve(ticket, "solution", "x", ctx=ctx),
    ):
        with pytest.raises(VendorRefused) as refused:
            await call()
        assert refused.value.happened is False
    assert world.state() == before


async def test_knowledge_is_found_by_all_of_its_words(itsm, ctx):
    (found,) = (await itsm.search_knowledge("VPN certificate", ctx=ctx)).records
    assert "Renew machine certificate" in found.text
    assert (await itsm.search_knowledge("vpn unicorn", ctx=ctx)).records == ()
    with pytest.raises(VendorRefused, match="nothing to search for"):
        await itsm.search_knowledge("  ", ctx=ctx)


async def test_a_configuration_item_is_found_by_id_and_by_name(itsm, world, ctx):
    by_id = await itsm.get_ci(world.ci, ctx=ctx)
    assert by_id == await itsm.get_ci(world.ci_name, ctx=ctx)
    assert by_id.name == world.ci_name
    for name in ("no-such-thing", "' OR 1=1 --", f"{world.ci_name}^ORsys_idISNOTEMPTY"):
        with pytest.raises(VendorRefused, match="no configuration item"):
            await itsm.get_ci(name, ctx=ctx)


async def test_people_are_found_by_name_and_user_name(itsm, world, ctx):
    for text in ("Pavel", "pavel", "STROND"):
        found = await itsm.find_user(text, ctx=ctx)
        assert [each.id for each in found.records] == [world.technician], text
    with pytest.raises(VendorRefused):
        await itsm.find_user(" ", ctx=ctx)


async def test_no_read_writes(itsm, world, ctx):
    await itsm.search_tickets(ctx=ctx)  # the first use fills the sample data
    before = world.state()
    await itsm.search_tickets("vpn", priority="moderate", active_only=False, ctx=ctx)
    await itsm.get_ticket(world.known, ctx=ctx)
    await itsm.list_journal(world.known, ctx=ctx)
    await itsm.search_knowledge("vpn", ctx=ctx)
    await itsm.get_ci(world.ci, ctx=ctx)
    await itsm.find_user("pavel", ctx=ctx)
    assert world.state() == before


# --- the wall between notes and comments ----------------------------------------------------------


async def test_a_work_note_is_never_seen_by_the_requester_and_a_comment_is(itsm, world, ctx):
    before = world.portal(world.known)
    await itsm.add_work_note(world.known, NOTE, ctx=ctx)
    assert world.portal(world.known) == before
    await itsm.add_public_comment(world.known, ANSWER, ctx=ctx)
    assert [text for text in world.portal(world.known) if text not in before] == [ANSWER]
    entries = (await itsm.list_journal(world.known, ctx=ctx)).records
    said = {entry.text: entry.internal for entry in entries}
    assert (said[NOTE], said[ANSWER]) == (True, False)


async def test_what_is_said_on_resolving_is_internal(itsm, world, ctx):
    before = world.portal(world.known)
    await itsm.resolve(world.known, "workaround", NOTE, ctx=ctx)
    assert world.portal(world.known) == before
    assert NOTE not in str(before)
    entries = (await itsm.list_journal(world.known, ctx=ctx)).records
    assert [entry.internal for entry in entries if entry.text == NOTE] == [True]


async def test_no_other_write_speaks_to_the_requester(itsm, world, ctx):
    before = world.portal(world.known)
    await itsm.assign(world.known, assignee_id=world.technician, ctx=ctx)
    await itsm.update_incident(world.known, {"priority": "high", "state": "in_progress"}, ctx=ctx)
    await itsm.create_incident("A child", "Something to look at", parent_id=world.known, ctx=ctx)
    assert world.portal(world.known) == before
    with pytest.raises(VendorRefused, match="may not be changed"):
        await itsm.update_incident(world.known, {"description": "read this"}, ctx=ctx)


# --- writing --------------------------------------------------------------------------------------


async def test_an_incident_is_opened_with_what_is_known(itsm, world, ctx):
    made = await itsm.create_incident(
        'It\'s "broken" \\ 😀',
        "First line\n'second' \u202eعربي",
        priority="high",
        category="hardware",
        ci_id=world.ci,
        parent_id=world.other,
        ctx=ctx,
    )
    ticket = await itsm.get_ticket(made.id, ctx=ctx)
    assert (ticket.title, ticket.description) == (
        'It\'s "broken" \\ 😀',
        "First line\n'second' \u202eعربي",
    )
    assert (ticket.priority, ticket.state, ticket.category) == ("high", "new", "hardware")
    assert (ticket.ci_id, ticket.parent_id) == (world.ci, world.other)
    assert made.number == ticket.number


async def test_the_same_key_opens_one_incident_and_another_key_another(itsm, make_ctx):
    first = await itsm.create_incident("Twice", "asked for", ctx=make_ctx(key="a"))
    again = await itsm.create_incident("Twice", "asked for", ctx=make_ctx(key="a"))
    other = await itsm.create_incident("Twice", "asked for", ctx=make_ctx(key="b"))
    someone = await itsm.create_incident("Twice", "asked for", ctx=make_ctx(key="a", agent="else"))
    assert first.id == again.id
    assert len({first.id, other.id, someone.id}) == 3


@pytest.mark.parametrize("field", ["ci_id", "parent_id"])
async def test_an_incident_about_nothing_is_refused(itsm, world, ctx, field):
    before = world.state()
    with pytest.raises(VendorRefused):
        await itsm.create_incident("x", "y", **{field: "999999999"}, ctx=ctx)
    assert world.state() == before


async def test_an_update_changes_what_it_names_and_nothing_else(itsm, world, ctx):
    before = await itsm.get_ticket(world.other, ctx=ctx)
    changes = {"priority": "critical", "category": "network", "ci_id": world.ci, "state": "on_hold"}
    for _ in range(2):  # it is idempotent
        done = await itsm.update_incident(world.other, changes, ctx=ctx)
        assert (done.id, set(done.changed)) == (world.other, set(changes))
        after = await itsm.get_ticket(world.other, ctx=ctx)
        assert after == before.model_copy(update={**changes, "updated_at": after.updated_at})
    await itsm.update_incident(world.other, {"ci_id": None, "category": None}, ctx=ctx)
    emptied = await itsm.get_ticket(world.other, ctx=ctx)
    assert (emptied.ci_id, emptied.category, emptied.priority) == (None, None, "critical")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "resolved"}, "one of new, in_progress, on_hold"),
        ({"state": "closed"}, "one of"),
        ({"priority": "urgent!"}, "one of critical"),
        ({"priority": None}, "cannot be empty"),
        ({"title": "Read this"}, "may not be changed"),
        ({"work_notes": "x"}, "may not be changed"),
        ({"comments": "x"}, "may not be changed"),
        ({"assignee_id": "1"}, "may not be changed"),
        ({"state = 'closed' --": "x"}, "may not be changed"),
        ({"ci_id": "1^state=7"}, "letters and digits"),
        ({"parent_id": "../../user/1"}, "letters and digits"),
        ({"ci_id": "999999999"}, "there is no"),
        ({"category": "x" * 81}, "81 characters"),
        ({"category": " "}, "cannot be empty"),
    ],
)
async def test_an_update_outside_the_allow_list_is_refused(itsm, world, ctx, changes, words):
    before = world.state()
    with pytest.raises(VendorRefused, match=words) as refused:
        await itsm.update_incident(world.known, changes, ctx=ctx)
    assert refused.value.happened is False
    assert world.state() == before


async def test_settings_say_what_may_be_updated(world, ctx):
    wide = world.with_settings(updatable=("title",))
    await wide.update_incident(world.known, {"title": "A better title"}, ctx=ctx)
    assert (await wide.get_ticket(world.known, ctx=ctx)).title == "A better title"
    with pytest.raises(VendorRefused, match="allowed are title"):
        await wide.update_incident(world.known, {"priority": "low"}, ctx=ctx)


async def test_a_ticket_is_given_to_a_person_and_taken_from_nobody_else(itsm, world, ctx):
    before = await itsm.get_ticket(world.other, ctx=ctx)
    for _ in range(2):
        await itsm.assign(world.other, assignee_id=world.technician, ctx=ctx)
    after = await itsm.get_ticket(world.other, ctx=ctx)
    assert (after.assignee_id, after.title, after.state) == (world.technician, before.title, before.state)
    with pytest.raises(VendorRefused):
        await itsm.assign(world.other, assignee_id=world.nobody, ctx=ctx)
    with pytest.raises(VendorRefused, match="nobody is named"):
        await itsm.assign(world.other, ctx=ctx)
    assert (await itsm.get_ticket(world.other, ctx=ctx)).assignee_id == world.technician


async def test_a_ticket_is_given_to_a_group(itsm, world, ctx):
    if world.group is None:
        with pytest.raises(VendorRefused, match="no such thing"):
            await itsm.assign(world.other, group="Field Support", ctx=ctx)
        return
    await itsm.assign(world.other, group=world.group, ctx=ctx)
    assert (await itsm.get_ticket(world.other, ctx=ctx)).group == world.group
    found = await itsm.search_tickets(group=world.group, limit=100, ctx=ctx)
    assert world.other in [each.id for each in found.records]
    assert {each.group for each in found.records} == {world.group}
    for name in ("No such group", f"{world.group}^ORnameISNOTEMPTY", "javascript:gs.getUserID()"):
        with pytest.raises(VendorRefused, match="no assignment group"):
            await itsm.assign(world.other, group=name, ctx=ctx)


async def test_an_incident_is_resolved_once(itsm, world, ctx):
    done = await itsm.resolve(world.known, "solution", "Certificate renewed", ctx=ctx)
    assert done.id == world.known
    after = await itsm.get_ticket(world.known, ctx=ctx)
    assert (after.state, after.active) == ("resolved", False)
    state = world.state()
    with pytest.raises(VendorRefused, match="an open incident is resolved"):
        await itsm.resolve(world.known, "solution", "again", ctx=ctx)
    with pytest.raises(VendorRefused, match="not reopened"):
        await itsm.update_incident(world.known, {"state": "new"}, ctx=ctx)
    assert world.state() == state


# --- changes and the catalog: where a backend has them --------------------------------------------


async def test_a_change_is_proposed_and_waits_for_approval(itsm, world, ctx):
    if lacking(world, "create_change"):
        with pytest.raises(VendorRefused, match="no such thing"):
            await itsm.create_change("x", "y", ctx=ctx)
        return
    made = await itsm.create_change("Replace the printer", "Why and how", ci_id=world.ci, ctx=ctx)
    change = await itsm.get_ticket(made.id, ctx=ctx)
    assert (change.kind, change.title, change.ci_id) == ("change", "Replace the printer", world.ci)
    found = await itsm.search_tickets("Replace the printer", kind="change", ctx=ctx)
    assert [each.id for each in found.records] == [made.id]
    assert (await itsm.search_tickets("Replace the printer", ctx=ctx)).records == ()


async def test_a_change_is_decided_by_whom_it_is_asked_of(itsm, world, make_ctx):
    ctx = make_ctx()
    if lacking(world, "decide_change_approval"):
        with pytest.raises(VendorRefused, match="no such thing"):
            await itsm.decide_change_approval(world.known, "approve", "x", ctx=ctx)
        return
    change = world.extra["change"]
    before = await itsm.get_ticket(change, ctx=ctx)
    assert {each.state for each in before.approvals} == {"requested"}
    done = await itsm.decide_change_approval(change, "approve", "Looks good", ctx=ctx)
    assert (done.state, done.approver) == ("approved", "Alice Vennard")
    after = await itsm.get_ticket(change, ctx=ctx)
    assert sorted(each.state for each in after.approvals) == ["approved", "requested"]
    with pytest.raises(VendorRefused, match="is asked of"):
        await itsm.decide_change_approval(change, "reject", "Changed my mind", ctx=ctx)
    with pytest.raises(VendorRefused):
        await itsm.decide_change_approval(world.known, "approve", "x", ctx=ctx)


async def test_something_is_ordered_from_the_catalog(itsm, world, ctx):
    if lacking(world, "submit_catalog_request"):
        with pytest.raises(VendorRefused, match="no such thing"):
            await itsm.submit_catalog_request("Second screen", ctx=ctx)
        return
    made = await itsm.submit_catalog_request(world.extra["item"], 2, ctx=ctx)
    assert made.kind == "request"
    assert (await itsm.get_ticket(made.id, ctx=ctx)).kind == "request"
    state = world.state()
    with pytest.raises(VendorRefused, match=r"there are .*Second screen"):
        await itsm.submit_catalog_request("A pony", ctx=ctx)
    with pytest.raises(VendorRefused, match=r"visitor|Mandatory"):
        await itsm.submit_catalog_request("Guest wireless code", ctx=ctx)
    assert world.state() == state
    await itsm.submit_catalog_request("Guest wireless code", variables={"visitor": "Ada ^ <b>"}, ctx=ctx)
