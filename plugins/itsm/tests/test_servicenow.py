"""What is particular to ServiceNow: logins, tokens, access rules, what its queries may hold."""

import asyncio

import pytest

from toolcrib.errors import NotSent, ToolError, VendorRefused
from toolcrib.testing import Reply
from toolcrib_itsm import ITSM, ITSMSettings
from toolcrib_itsm.sample import DEMO
from toolcrib_itsm.servicenow import ServiceNowBackend
from toolcrib_itsm.testing import sys_id
from toolcrib_itsm.testing._instance import Instance

pytestmark = pytest.mark.parametrize("world", ["servicenow"], indirect=True)
APP = {"client_id": "app-id", "client_secret": "app-secret-1"}


def desk(fake, **settings):
    made = ITSMSettings(backend="servicenow", instance="acme", **settings)
    return ITSM(ServiceNowBackend(made, transport=fake.transport()), made)


def fresh():
    """An instance with the sample desk, as it was."""
    made = Instance()
    made.load_sample()
    return made


@pytest.fixture
def oauth(fake):
    fake.add_app(APP["client_id"], APP["client_secret"], sys_id("USR0000002"))
    return fake


# --- logging in -----------------------------------------------------------------------------------


async def test_a_token_by_client_credentials_serves_many_calls(oauth, world, make_ctx):
    itsm, ctx = desk(oauth, login="client_credentials"), make_ctx(secret=APP)
    await asyncio.gather(*(itsm.get_ticket(world.known, ctx=ctx) for _ in range(5)))
    assert oauth.logins == 1
    change = await itsm.decide_change_approval(world.extra["change"], "reject", "No", ctx=ctx)
    assert change.approver == "Dana Okoth"
    await itsm.close()


async def test_a_token_by_password(oauth, world, make_ctx):
    itsm, ctx = desk(oauth, login="password"), make_ctx(secret={**world.secret, **APP})
    assert (await itsm.find_user("pavel", ctx=ctx)).records
    assert list(oauth.tokens.values()) == [sys_id("USR0000001")]
    await itsm.close()


async def test_tokens_are_not_shared_over_users_and_tenants(oauth, world, make_ctx):
    itsm = desk(oauth, login="client_credentials")
    contexts = [make_ctx(secret=APP), make_ctx(secret=APP, user="dana"), make_ctx(secret=APP, tenant="other")]
    for ctx in contexts * 2:
        await itsm.get_ticket(world.known, ctx=ctx)
    used = [r.bearer for r in oauth.requests if r.path.startswith("/api/")]
    assert oauth.logins == len(set(used)) == 3
    assert used[: len(used) // 2] == used[len(used) // 2 :]
    await itsm.close()


async def test_a_token_that_expires_between_pages_is_renewed_once(oauth, world, make_ctx):
    itsm, ctx = desk(oauth, login="client_credentials"), make_ctx(secret=APP)
    first = await itsm.search_tickets(limit=10, ctx=ctx)
    oauth.expire_tokens()
    second = await itsm.search_tickets(limit=10, page=2, ctx=ctx)
    ids = [each.id for each in (*first.records, *second.records)]
    assert len(set(ids)) == 20 and oauth.logins == 2
    oauth.expire_tokens()
    before = len(oauth.changes)
    await itsm.add_work_note(world.known, "after the token", ctx=ctx)
    assert (len(oauth.changes) - before, oauth.logins) == (1, 3)
    await itsm.close()


CALLS = {
    "the groups of the people found": lambda itsm, world, ctx: itsm.find_user("a", limit=5, ctx=ctx),
    "the fields of a ticket": lambda itsm, world, ctx: itsm.get_ticket(world.known, ctx=ctx),
    "the approvals of a change": lambda itsm, world, ctx: itsm.get_ticket(world.extra["change"], ctx=ctx),
    "the journal of a ticket": lambda itsm, world, ctx: itsm.list_journal(world.known, ctx=ctx),
    "a new incident": lambda itsm, world, ctx: itsm.create_incident("Once", "x", ci_id=world.ci, ctx=ctx),
    "a change": lambda itsm, world, ctx: itsm.assign(world.known, group="Network", ctx=ctx),
    "a note": lambda itsm, world, ctx: itsm.add_work_note(world.known, "once", ctx=ctx),
    "an order": lambda itsm, world, ctx: itsm.submit_catalog_request("Second screen", ctx=ctx),
    "an approval": lambda itsm, world, ctx: itsm.decide_change_approval(
        world.extra["change"], "approve", "once", ctx=ctx
    ),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_token_that_expires_in_the_middle_of_a_call_is_renewed_and_nothing_is_lost_or_done_twice(
    oauth, world, make_ctx, name
):
    """Of each call's requests in turn, but the first: the token ends before it."""
    secret = {**world.secret, **APP}
    itsm, call = desk(oauth, login="password"), CALLS[name]
    sent = len(oauth.requests)
    expected = await call(itsm, world, make_ctx(secret=secret))
    requests, writes = len(oauth.requests) - sent - 1, len(oauth.changes)
    assert requests > 1, "a call of one request has no middle"
    for after in range(1, requests):
        oauth.instance = fresh()
        oauth.changes.clear()
        logins = oauth.logins
        oauth.expire_tokens(after=after)
        result = await call(itsm, world, make_ctx(secret=secret))
        assert oauth.logins == logins + 1
        assert len(oauth.changes) == writes
        if not writes:
            assert result == expected
    await itsm.close()


async def test_a_password_that_is_changed_in_the_middle_of_a_read_ends_it(oauth, world, make_ctx):
    itsm, ctx = desk(oauth, login="password"), make_ctx(secret={**world.secret, **APP})
    await itsm.find_user("a", ctx=ctx)
    oauth.expire_tokens(after=1)
    oauth.add_account(world.secret["username"], "changed", sys_id("USR0000001"))
    with pytest.raises(VendorRefused, match="login was refused") as refused:
        await itsm.find_user("a", ctx=ctx)
    assert world.secret["password"] not in str(refused.value)
    await itsm.close()


@pytest.mark.parametrize("wrong", [{"client_secret": "hunter2hunter2"}, {"client_id": "other"}])
async def test_a_login_that_is_refused_says_so_without_the_secret(oauth, world, make_ctx, wrong):
    itsm = desk(oauth, login="client_credentials")
    with pytest.raises(VendorRefused, match="login was refused") as refused:
        await itsm.add_public_comment(world.known, "x", ctx=make_ctx(secret={**APP, **wrong}))
    assert not any(secret in str(refused.value) for secret in ("hunter2", "app-secret"))
    assert oauth.changes == []
    await itsm.close()


async def test_a_login_that_cannot_be_had_now_was_not_sent(oauth, world, make_ctx):
    itsm = desk(oauth, login="client_credentials")
    for fault in ({"status": 503}, {"status": 429, "headers": {"retry-after": "9"}}):
        oauth.fail(**fault)
        with pytest.raises(NotSent) as failed:
            await itsm.add_work_note(world.known, "x", ctx=make_ctx(secret=APP))
        assert failed.value.retry_after == (9.0 if fault["status"] == 429 else None)
    assert oauth.changes == []
    await itsm.close()


# --- access rules ---------------------------------------------------------------------------------


async def test_a_table_that_may_not_be_read_is_refused_in_its_words(itsm, world, fake, ctx):
    fake.forbid("kb_knowledge", "read")
    with pytest.raises(VendorRefused, match="ACL Exception"):
        await itsm.search_knowledge("vpn", ctx=ctx)


async def test_a_field_that_is_dropped_silently_is_noticed(itsm, world, fake, ctx):
    fake.forbid("incident", "field:assigned_to")
    with pytest.raises(ToolError, match="did not take the new assigned_to") as failed:
        await itsm.assign(world.known, assignee_id=world.technician, ctx=ctx)
    assert failed.value.happened is None


async def test_what_callers_may_read_on_resolving_is_the_settings_sentence(itsm, world, fake, ctx):
    await itsm.resolve(world.known, "workaround", "the caller spilt coffee", ctx=ctx)
    row = fake.instance.tables["incident"][world.known]
    assert (row["close_code"], row["close_notes"]) == ("Workaround provided", "Resolved by the service desk.")
    assert "coffee" not in str(row)


# --- records and queries --------------------------------------------------------------------------


async def test_a_time_is_read_from_its_value_and_not_as_it_is_shown(itsm, world, ctx):
    from toolcrib_itsm.sample import records

    (row,) = (row for row in records()["ticket"] if row["id"] == DEMO.known_ticket)
    ticket = await itsm.get_ticket(world.known, ctx=ctx)
    assert ticket.opened_at.strftime("%Y-%m-%dT%H:%M:%SZ") == row["opened_at"]


async def test_an_article_comes_without_its_html(itsm, ctx):
    (found,) = (await itsm.search_knowledge("vpn certificate", ctx=ctx)).records
    assert "<" not in found.text and "\nSolution:" in found.text


async def test_a_person_comes_with_their_groups(itsm, ctx):
    (found,) = (await itsm.find_user("ilse", ctx=ctx)).records
    assert set(found.groups) == {"Network", "Databases"}


async def test_no_caret_and_no_script_is_ever_sent_for_a_text(itsm, fake, ctx):
    for text in ("a^ORb", "a^NQb", "javascript:x", " javascript: x", "^", "a\r\nb"):
        try:
            await itsm.search_tickets(text, kind=None, ctx=ctx)
            await itsm.search_tickets(group=text.strip(), ctx=ctx)
        except VendorRefused:
            assert not text.strip("^")
    allowed = ("short_description", "description", "number", "sys_class_name", "active", "state", "OR",
               "ORDERBY", "assignment_group.name")  # fmt: skip
    for query in fake.queries:
        assert "javascript:" not in query.replace("javascript:gs.getUserID()", "").lower()
        assert all(part.startswith(allowed) for part in query.split("^")), query


async def test_ten_thousand_incidents_are_capped_and_paged(world, fake, ctx):
    base = fake.instance.tables["incident"][world.known]
    for number in range(10_000):
        key = f"{number:032d}"
        fake.instance.tables["incident"][key] = {**base, "sys_id": key, "number": f"INC9{number:06d}"}
    found = await world.itsm.search_tickets(limit=1000, ctx=ctx)
    assert (len(found.records), found.more) == (100, True)
    later = await world.itsm.search_tickets(limit=100, page=50, ctx=ctx)
    assert len(later.records) == 100
    assert not {each.id for each in found.records} & {each.id for each in later.records}


async def test_state_and_requester_need_a_kind(itsm, world, ctx):
    for given in ({"state": "new"}, {"requester_id": world.requester}):
        with pytest.raises(VendorRefused, match="Name the kind"):
            await itsm.search_tickets(kind=None, ctx=ctx, **given)
    everything = await itsm.search_tickets(kind=None, limit=100, active_only=False, ctx=ctx)
    assert {each.kind for each in everything.records} == {"incident", "change"}


@pytest.mark.parametrize("text", ["[code]<img src=x>[/code]", "a [CODE]", "[ /code ]"])
async def test_what_a_journal_would_show_as_html_is_refused(itsm, world, fake, ctx, text):
    before = world.state()
    for call in (
        itsm.add_work_note(world.known, text, ctx=ctx),
        itsm.add_public_comment(world.known, text, ctx=ctx),
        itsm.resolve(world.known, "solution", text, ctx=ctx),
        itsm.decide_change_approval(world.extra["change"], "approve", text, ctx=ctx),
    ):
        with pytest.raises(VendorRefused, match="shows as HTML"):
            await call
    assert world.state() == before
    await itsm.add_work_note(world.known, "the code [of conduct]", ctx=ctx)


@pytest.mark.parametrize("start", [0, 450, 480, 489, 495])
async def test_a_login_that_quotes_the_secret_anywhere_does_not_get_it_repeated(oauth, make_ctx, start):
    for status in (401, 500):
        oauth.fail(status, {"error": "x" * start, "error_description": f"{APP['client_secret']} is wrong"})
        with pytest.raises(ToolError) as failed:
            ctx = make_ctx(secret=APP)
            await desk(oauth, login="client_credentials").search_tickets(ctx=ctx)
        assert APP["client_secret"][:4] not in str(failed.value)


@pytest.mark.parametrize("odd", ["x^NQactive=true", "javascript:gs.log(1)", "../../x", "a,b", ""])
async def test_an_id_that_the_vendor_made_up_goes_into_no_query(itsm, world, fake, ctx, odd):
    """An answer is a stranger's too: what it calls an id is asked for in the next request."""
    names = ("sys_id", "name", "user_name", "email", "department")
    row = {name: {"value": "x", "display_value": "x"} for name in names}
    row["sys_id"] = {"value": odd, "display_value": odd}
    before = len(fake.queries)
    fake.answer(Reply.json({"result": [row]}, headers={"x-total-count": "1"}))
    with pytest.raises(ToolError, match="without an id") as failed:
        await itsm.find_user("x", ctx=ctx)
    assert not isinstance(failed.value, VendorRefused)
    assert len(fake.queries) == before
