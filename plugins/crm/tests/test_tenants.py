"""Ids of another tenant: whoever asks with one learns nothing, and changes nothing.

In the embedded CRM tenants are files, at Salesforce they are orgs, to which one login server leads.
"""

import shutil

import httpx
import pytest

from toolcrib.errors import VendorRefused
from toolcrib_crm import CRM, CRMSettings
from toolcrib_crm.salesforce import SalesforceBackend
from toolcrib_crm.testing import FakeSalesforce

COMPANY = "Heron Ferries"
GITA = {"username": "gita@globex.example", "password": "another-password"}


class TwoOrgs(httpx.AsyncBaseTransport):
    """One login server, which sends each user to an org of their own."""

    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours.transport(), theirs.transport()

    async def handle_async_request(self, request):
        host = request.url.host
        theirs = host.startswith("globex.") or (host.startswith("login.") and b"gita@" in request.content)
        return await (self.theirs if theirs else self.ours).handle_async_request(request)

    async def aclose(self):
        await self.ours.aclose()
        await self.theirs.aclose()


@pytest.fixture
def globex():
    """The org of the other tenant, which has no records yet."""
    with FakeSalesforce(instance="globex.my.salesforce.com") as org:
        org.add_user(*GITA.values())
        yield org
    assert not org.failures


@pytest.fixture
def two_files(embedded, filled):
    shutil.copy(filled, embedded.folder / "crm-globex.db")

    def dump():
        stores = [embedded.backend._store(tenant) for tenant in ("acme", "globex")]
        return [list(store._db.iterdump()) for store in stores]

    return embedded.crm, dump


@pytest.fixture
async def two_orgs(fake, globex):
    settings = CRMSettings(backend="salesforce")
    crm = CRM(SalesforceBackend(settings, transport=TwoOrgs(fake, globex)), settings)
    yield crm, lambda: (fake.store.snapshot(), globex.store.snapshot())
    await crm.close()
    hosts = {"login.salesforce.com", "acme.my.salesforce.com"}
    assert {request.headers["host"] for request in fake.requests} <= hosts
    assert not set(fake.logins.sessions) & set(globex.logins.sessions)


@pytest.fixture(params=["two_files", "two_orgs"], ids=["embedded", "salesforce"])
def both(request):
    """A CRM with two tenants, and all that either of them holds, comparable."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def stranger(make_ctx):
    """Somebody of the other tenant."""
    return make_ctx(tenant="globex", user="gita", secret=GITA)


async def filled(crm, ctx):
    """Ids of a lead, and of an account with a contact and a deal, that were made of another one."""
    first = await crm.create_lead("Oduya", COMPANY, ctx=ctx)
    made = await crm.convert_lead(first.id, opportunity_name="Two hulls", ctx=ctx)
    lead = await crm.create_lead("Vance", COMPANY, ctx=ctx)
    return {
        "lead": lead.id,
        "account": made.account_id,
        "contact": made.contact_id,
        "opportunity": made.opportunity_id,
    }


CALLS = {
    "get_record": lambda crm, ids, ctx: crm.get_record("Lead", ids["lead"], ctx=ctx),
    "get_account_overview": lambda crm, ids, ctx: crm.get_account_overview(ids["account"], ctx=ctx),
    "create_contact": lambda crm, ids, ctx: crm.create_contact(ids["account"], "planted", ctx=ctx),
    "update_record": lambda crm, ids, ctx: crm.update_record("Lead", ids["lead"], {"title": "x"}, ctx=ctx),
    "set_opportunity_stage": lambda crm, ids, ctx: crm.set_opportunity_stage(
        ids["opportunity"], "Closed Lost", ctx=ctx
    ),
    "log_activity on a person": lambda crm, ids, ctx: crm.log_activity(
        ids["contact"], "Call", "planted", ctx=ctx
    ),
    "log_activity on a deal": lambda crm, ids, ctx: crm.log_activity(
        ids["opportunity"], "Call", "planted", ctx=ctx
    ),
    "convert_lead": lambda crm, ids, ctx: crm.convert_lead(ids["lead"], ctx=ctx),
    "delete_record": lambda crm, ids, ctx: crm.delete_record("Account", ids["account"], ctx=ctx),
}


@pytest.mark.parametrize("call", CALLS)
async def test_an_id_of_another_tenant_is_refused(both, ctx, stranger, call):
    crm, state = both
    theirs = await filled(crm, ctx)
    before = state()
    with pytest.raises(VendorRefused) as refused:
        await CALLS[call](crm, theirs, stranger)
    assert COMPANY not in str(refused.value) and "Vance" not in str(refused.value)
    assert state() == before


@pytest.mark.parametrize("call", CALLS)
async def test_an_id_of_ones_own_is_taken(both, stranger, call):
    crm, _ = both
    assert await CALLS[call](crm, await filled(crm, stranger), stranger)


async def test_nothing_of_another_tenant_is_found(both, ctx, stranger):
    crm, _ = both
    theirs = await filled(crm, ctx)
    assert (await crm.search_accounts(COMPANY, ctx=ctx)).records
    for page in (
        await crm.search_accounts(COMPANY, ctx=stranger),
        await crm.search_contacts(account_id=theirs["account"], ctx=stranger),
        await crm.list_opportunities(theirs["account"], open_only=False, ctx=stranger),
    ):
        assert page.records == () and not page.more
    for query in (f"company = '{COMPANY}'", f"id = '{theirs['lead']}'"):
        found = await crm.run_query(f"SELECT id, company FROM Lead WHERE {query}", ctx=stranger)
        assert found.rows == ()


async def test_no_lead_is_converted_into_an_account_of_another_tenant(both, ctx, stranger):
    crm, state = both
    theirs, mine = await filled(crm, ctx), await crm.create_lead("Ours", "Globex", ctx=stranger)
    before = state()
    with pytest.raises(VendorRefused):
        await crm.convert_lead(mine.id, account_id=theirs["account"], ctx=stranger)
    assert state() == before
