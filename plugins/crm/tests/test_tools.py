"""What every tool does, on the embedded backend and on Salesforce alike."""

from datetime import date

import pytest

from toolcrib.errors import VendorRefused
from toolcrib_crm.models import Account, Activity, Contact, Lead, Opportunity
from toolcrib_crm.sample import DEMO, make_id, records


async def test_accounts_are_found_by_name_and_website(crm, ctx):
    by_name = await crm.search_accounts("bruck rot", ctx=ctx)
    assert DEMO.account_id in [account.id for account in by_name.records]
    by_site = await crm.search_accounts(DEMO.domain, ctx=ctx)
    assert [account.name for account in by_site.records] == [DEMO.company]
    assert not by_site.more


async def test_accounts_come_by_name_and_by_industry(crm, ctx):
    page = await crm.search_accounts(industry="Finance", limit=5, ctx=ctx)
    names = [account.name for account in page.records]
    assert names == sorted(names)
    assert {account.industry for account in page.records} == {"Finance"}


@pytest.mark.parametrize("text", ["%", "_zzelbruck", "100%", "\\", "'", "Ozzel%Rotors", "nobody at all"])
async def test_what_is_searched_for_is_text_and_no_pattern(crm, ctx, text):
    assert (await crm.search_accounts(text, ctx=ctx)).records == ()


async def test_the_limit_holds_and_more_is_told(crm, ctx):
    page = await crm.search_accounts(limit=3, ctx=ctx)
    assert (len(page.records), page.more) == (3, True)
    exact = len([r for r in records()["Account"] if r["industry"] == "Finance"])
    page = await crm.search_accounts(industry="Finance", limit=exact, ctx=ctx)
    assert (len(page.records), page.more) == (exact, False)


async def test_the_row_cap_holds_over_every_limit(world, ctx):
    crm = world.with_settings(row_cap=7)
    assert len((await crm.search_accounts(limit=100, ctx=ctx)).records) == 7
    assert len((await crm.search_contacts(limit=100, ctx=ctx)).records) == 7
    assert len((await crm.list_opportunities(open_only=False, limit=100, ctx=ctx)).records) == 7
    for text in ("SELECT id FROM Activity", "SELECT id FROM Activity LIMIT 2000"):
        result = await crm.run_query(text, ctx=ctx)
        assert (len(result.rows), result.more) == (7, True)
    overview = await crm.get_account_overview(DEMO.account_id, ctx=ctx)
    assert len(overview.recent_activities) <= 7


async def test_an_overview_has_everything_one_wants_to_know(crm, ctx):
    overview = await crm.get_account_overview(DEMO.account_id, ctx=ctx)
    assert overview.account.name == DEMO.company
    assert DEMO.contact_id in [contact.id for contact in overview.contacts]
    assert [deal.id for deal in overview.open_opportunities] == [DEMO.open_opportunity_id]
    assert [deal.id for deal in overview.won_opportunities] == [DEMO.won_opportunity_id]
    assert overview.won_amount == overview.won_opportunities[0].amount
    assert len(overview.recent_activities) == 10
    days = [activity.activity_date for activity in overview.recent_activities]
    assert days == sorted(days, reverse=True)


async def test_contacts_are_found_by_name_email_and_account(crm, ctx):
    (found,) = (await crm.search_contacts("Tindra Vasslow", account_id=DEMO.account_id, ctx=ctx)).records
    assert (found.id, found.account_name) == (DEMO.contact_id, DEMO.company)
    (found,) = (await crm.search_contacts(DEMO.contact_email.upper(), ctx=ctx)).records
    assert found.id == DEMO.contact_id
    assert len((await crm.search_contacts(account_id=DEMO.account_id, ctx=ctx)).records) == 3


async def test_opportunities_are_open_unless_asked(crm, ctx):
    mine = {"account_id": DEMO.account_id, "ctx": ctx}
    assert [d.id for d in (await crm.list_opportunities(**mine)).records] == [DEMO.open_opportunity_id]
    assert len((await crm.list_opportunities(open_only=False, **mine)).records) == 2
    won = await crm.list_opportunities(stage="Closed Won", open_only=False, **mine)
    assert [deal.is_won for deal in won.records] == [True]
    assert (await crm.list_opportunities(stage="Closed Won", **mine)).records == ()


@pytest.mark.parametrize(
    ("kind", "record_id", "model"),
    [
        ("Account", DEMO.account_id, Account),
        ("Contact", DEMO.contact_id, Contact),
        ("Lead", DEMO.lead_id, Lead),
        ("Opportunity", DEMO.won_opportunity_id, Opportunity),
        ("Activity", make_id("Activity", 1), Activity),
    ],
)
async def test_a_record_comes_as_its_own_model(crm, ctx, kind, record_id, model):
    record = await crm.get_record(kind, record_id, ctx=ctx)
    assert type(record) is model
    assert record.id == record_id
    assert record.created_at.utcoffset().total_seconds() == 0
    assert record == await crm.get_record(kind, record_id[:15], ctx=ctx)


async def test_a_won_deal_says_so_where_a_policy_looks(crm, ctx):
    before = (await crm.get_record("Opportunity", DEMO.won_opportunity_id, ctx=ctx)).model_dump(mode="json")
    assert before["stage"] == "Closed Won"
    assert (before["is_closed"], before["is_won"]) == (True, True)


UNKNOWN = make_id("Account", 99_999_999)


@pytest.mark.parametrize(
    "record_id",
    [
        "",
        "001",
        DEMO.contact_id,
        "001' OR Id != '",
        "001TC0000000001YA'",
        "001/../../limits",
        "００１TC0000000001",
        UNKNOWN,
    ],
)
async def test_an_id_that_is_none_is_refused(world, ctx, record_id):
    before = world.state()
    for call in (
        lambda: world.crm.get_record("Account", record_id, ctx=ctx),
        lambda: world.crm.get_account_overview(record_id, ctx=ctx),
        lambda: world.crm.update_record("Account", record_id, {"phone": "1"}, ctx=ctx),
        lambda: world.crm.delete_record("Account", record_id, ctx=ctx),
        lambda: world.crm.create_contact(record_id, "Nobody", ctx=ctx),
        lambda: world.crm.convert_lead(DEMO.lead_id, record_id or "x", ctx=ctx),
    ):
        with pytest.raises(VendorRefused) as refused:
            await call()
        assert refused.value.happened is False
    assert world.state() == before


async def test_no_read_writes(world, ctx):
    crm, before = world.crm, None
    await crm.search_accounts("a", ctx=ctx)  # the first use fills the sample data
    before = world.state()
    await crm.search_accounts("a", industry="Finance", ctx=ctx)
    await crm.get_account_overview(DEMO.account_id, ctx=ctx)
    await crm.search_contacts("a", account_id=DEMO.account_id, ctx=ctx)
    await crm.list_opportunities(account_id=DEMO.account_id, stage="Prospecting", ctx=ctx)
    await crm.get_record("Lead", DEMO.lead_id, ctx=ctx)
    await crm.run_query("SELECT id, description FROM Lead ORDER BY name LIMIT 5", ctx=ctx)
    await crm.describe_object("Lead", ctx=ctx)
    assert world.state() == before
    if world.fake:
        assert world.fake.changes == []
        data = {(r.method, r.path.rpartition("/")[2]) for r in world.fake.requests if "/data/" in r.path}
        assert {one for one in data if one[0] != "GET"} == {("POST", "batch")}  # which holds queries


async def test_describe_tells_what_may_be_written_and_chosen(world, ctx):
    info = await world.crm.describe_object("Opportunity", ctx=ctx)
    fields = {field.name: field for field in info.fields}
    assert "Closed Won" in fields["stage"].values
    assert (fields["stage"].creatable, fields["stage"].updatable) == (True, False)
    assert (fields["amount"].type, fields["amount"].updatable) == ("number", True)
    assert not fields["is_won"].creatable
    narrow = world.with_settings(updatable={"Opportunity": ("next_step",)})
    info = await narrow.describe_object("Opportunity", ctx=ctx)
    assert [field.name for field in info.fields if field.updatable] == ["next_step"]


# --- writing --------------------------------------------------------------------------------------


async def test_a_lead_is_created_with_what_is_known(crm, ctx):
    made = await crm.create_lead(
        "O'Brien \u202e😀", 'Acme "Tools" \\ Co', first_name="Ada", email="a@b.example", ctx=ctx
    )
    lead = await crm.get_record("Lead", made.id, ctx=ctx)
    assert (lead.last_name, lead.company, lead.email) == (
        "O'Brien \u202e😀",
        'Acme "Tools" \\ Co',
        "a@b.example",
    )
    assert (lead.name, lead.phone, lead.is_converted) == ("Ada O'Brien \u202e😀", None, False)
    assert lead.created_at is not None


@pytest.mark.parametrize(
    "values",
    [
        {"last_name": "", "company": "x"},
        {"last_name": "x", "company": "  "},
        {"last_name": "x" * 81, "company": "x"},
    ],
)
async def test_a_lead_that_lacks_something_is_refused(world, ctx, values):
    before = world.state()
    with pytest.raises(VendorRefused, match=r"last_name|company"):
        await world.crm.create_lead(**values, ctx=ctx)
    assert world.state() == before


async def test_a_contact_is_created_at_its_account(crm, ctx):
    made = await crm.create_contact(
        DEMO.account_id, "Newcomer", email="n@x.example", department="IT", ctx=ctx
    )
    contact = await crm.get_record("Contact", made.id, ctx=ctx)
    assert (contact.account_id, contact.account_name) == (DEMO.account_id, DEMO.company)


async def test_an_update_changes_what_it_names_and_nothing_else(crm, ctx):
    before = await crm.get_record("Lead", DEMO.lead_id, ctx=ctx)
    changes = {"industry": "Manufacturing", "employees": 80, "annual_revenue": 20640000, "phone": None}
    done = await crm.update_record("Lead", DEMO.lead_id, changes, ctx=ctx)
    assert done.changed == tuple(changes)
    after = await crm.get_record("Lead", DEMO.lead_id, ctx=ctx)
    assert (
        after.model_copy(
            update={**{k: getattr(before, k) for k in changes}, "modified_at": before.modified_at}
        )
        == before
    )
    assert (after.industry, after.employees, after.annual_revenue, after.phone) == (
        "Manufacturing",
        80,
        20640000.0,
        None,
    )


async def test_an_update_takes_dates_as_text(crm, ctx):
    await crm.update_record("Opportunity", DEMO.open_opportunity_id, {"close_date": "2027-03-01"}, ctx=ctx)
    deal = await crm.get_record("Opportunity", DEMO.open_opportunity_id, ctx=ctx)
    assert deal.close_date == date(2027, 3, 1)


@pytest.mark.parametrize(
    ("kind", "record_id", "changes", "words"),
    [
        ("Opportunity", DEMO.won_opportunity_id, {"stage": "Prospecting"}, "stage may not be changed"),
        ("Opportunity", DEMO.won_opportunity_id, {"StageName": "Prospecting"}, "stage may not be changed"),
        ("Opportunity", DEMO.won_opportunity_id, {"is_won": False}, "is_won may not"),
        ("Contact", DEMO.contact_id, {"account_id": DEMO.account_id}, "account_id may not"),
        ("Contact", DEMO.contact_id, {"id": "x"}, "id may not"),
        ("Contact", DEMO.contact_id, {"salary": 1}, "no field 'salary'"),
        ("Contact", DEMO.contact_id, {"phone = '' --": "1"}, "no field"),
        ("Contact", DEMO.contact_id, {"last_name": None}, "cannot be emptied"),
        ("Contact", DEMO.contact_id, {"last_name": " "}, "cannot be emptied"),
        ("Contact", DEMO.contact_id, {"title": 7}, "holds a string"),
        ("Contact", DEMO.contact_id, {"title": "x" * 129}, "129 characters"),
        ("Account", DEMO.account_id, {"employees": "many"}, "holds a integer"),
        ("Account", DEMO.account_id, {"employees": 1.5}, "holds a integer"),
        ("Account", DEMO.account_id, {}, "nothing to change"),
        ("Opportunity", DEMO.open_opportunity_id, {"close_date": "soon"}, "holds a date"),
    ],
)
async def test_an_update_outside_the_allow_list_is_refused(world, ctx, kind, record_id, changes, words):
    before = world.state()
    with pytest.raises(VendorRefused, match=words) as refused:
        await world.crm.update_record(kind, record_id, changes, ctx=ctx)
    assert refused.value.happened is False
    assert world.state() == before


async def test_settings_narrow_what_may_be_updated(world, ctx):
    crm = world.with_settings(updatable={"Lead": ("rating",)})
    await crm.update_record("Lead", DEMO.lead_id, {"rating": "Hot"}, ctx=ctx)
    with pytest.raises(VendorRefused, match="allowed are rating"):
        await crm.update_record("Lead", DEMO.lead_id, {"rating": "Cold", "phone": "1"}, ctx=ctx)
    with pytest.raises(VendorRefused, match="allowed are none"):
        await crm.update_record("Account", DEMO.account_id, {"phone": "1"}, ctx=ctx)
    assert (await crm.get_record("Lead", DEMO.lead_id, ctx=ctx)).rating == "Hot"


async def test_the_stage_moves_once(world, ctx, monkeypatch):
    moved = await world.crm.set_opportunity_stage(DEMO.open_opportunity_id, "Closed Lost", ctx=ctx)
    assert (moved.stage, moved.is_closed, moved.is_won) == ("Closed Lost", True, False)
    after = world.state()
    monkeypatch.setattr(type(world.backend), "update", None)  # whoever writes again fails
    again = await world.crm.set_opportunity_stage(DEMO.open_opportunity_id, "Closed Lost", ctx=ctx)
    assert again == moved
    assert world.state() == after


@pytest.mark.parametrize(
    ("about", "who", "related"),
    [
        (DEMO.contact_id, DEMO.contact_id, None),
        (DEMO.lead_id, DEMO.lead_id, None),
        (DEMO.account_id, None, DEMO.account_id),
        (DEMO.open_opportunity_id, None, DEMO.open_opportunity_id),
    ],
)
async def test_an_activity_is_logged_where_it_belongs(crm, ctx, about, who, related):
    made = await crm.log_activity(about, "Email", "Offer", "Dear all,\n'quoted'", date(2026, 11, 3), ctx=ctx)
    activity = await crm.get_record("Activity", made.id, ctx=ctx)
    assert (activity.who_id, activity.related_id) == (who, related)
    assert (activity.kind, activity.subject, activity.body) == ("Email", "Offer", "Dear all,\n'quoted'")
    assert (activity.activity_date, activity.status) == (date(2026, 11, 3), "Completed")
    assert activity.account_id == (None if about == DEMO.lead_id else DEMO.account_id)


async def test_an_activity_about_nobody_is_refused(world, ctx):
    before = world.state()
    for about in (make_id("Activity", 1), make_id("Lead", 99_999_999), "x"):
        with pytest.raises(VendorRefused):
            await world.crm.log_activity(about, "Call", "x", ctx=ctx)
    assert world.state() == before


async def test_a_lead_becomes_account_contact_and_deal(crm, ctx):
    done = await crm.convert_lead(DEMO.lead_id, opportunity_name="Mill <1> & 2", ctx=ctx)
    lead = await crm.get_record("Lead", DEMO.lead_id, ctx=ctx)
    assert (lead.is_converted, lead.status) == (True, "Closed - Converted")
    contact = await crm.get_record("Contact", done.contact_id, ctx=ctx)
    assert (contact.name, contact.email, contact.account_id) == (lead.name, DEMO.lead_email, done.account_id)
    assert (await crm.get_record("Account", done.account_id, ctx=ctx)).name == lead.company
    deal = await crm.get_record("Opportunity", done.opportunity_id, ctx=ctx)
    assert (deal.name, deal.account_id, deal.is_closed) == ("Mill <1> & 2", done.account_id, False)


async def test_a_lead_goes_into_an_account_that_is_there_and_only_once(world, ctx):
    note = await world.crm.log_activity(DEMO.lead_id, "Call", "First call", ctx=ctx)
    done = await world.crm.convert_lead(DEMO.lead_id, DEMO.account_id, ctx=ctx)
    assert (done.account_id, done.opportunity_id) == (DEMO.account_id, None)
    assert (await world.crm.get_record("Activity", note.id, ctx=ctx)).who_id == done.contact_id
    after = world.state()
    with pytest.raises(VendorRefused, match="converted"):
        await world.crm.convert_lead(DEMO.lead_id, ctx=ctx)
    assert world.state() == after


async def test_deleting_removes_the_record_and_its_own(world, ctx):
    kept = await world.crm.search_contacts(account_id=DEMO.account_id, ctx=ctx)
    await world.crm.delete_record("Contact", DEMO.contact_id, ctx=ctx)
    left = await world.crm.search_contacts(account_id=DEMO.account_id, ctx=ctx)
    assert {c.id for c in kept.records} - {c.id for c in left.records} == {DEMO.contact_id}
    query = f"SELECT id FROM Activity WHERE who_id = '{DEMO.contact_id}'"
    assert (await world.crm.run_query(query, ctx=ctx)).rows == ()
    with pytest.raises(VendorRefused):
        await world.crm.delete_record("Contact", DEMO.contact_id, ctx=ctx)


async def test_an_account_with_a_deal_won_is_kept(world, ctx):
    before = world.state()
    with pytest.raises(VendorRefused, match="Closed Won"):
        await world.crm.delete_record("Account", DEMO.account_id, ctx=ctx)
    assert world.state() == before


async def test_an_account_goes_with_its_people_and_deals(crm, ctx):
    made = await crm.convert_lead(DEMO.lead_id, opportunity_name="x", ctx=ctx)
    await crm.delete_record("Account", made.account_id, ctx=ctx)
    for kind, record_id in (
        ("Account", made.account_id),
        ("Contact", made.contact_id),
        ("Opportunity", made.opportunity_id),
    ):
        with pytest.raises(VendorRefused):
            await crm.get_record(kind, record_id, ctx=ctx)
