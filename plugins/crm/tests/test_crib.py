"""The pack inside a crib: previews, policy and labels meet the real tools."""

import json
import warnings
from pathlib import Path

import pytest

from toolcrib.errors import ToolcribWarning
from toolcrib.testing.cribs import make_crib
from toolcrib_crm import salesforce
from toolcrib_crm._salesforce_rest import Org
from toolcrib_crm.sample import DEMO
from toolcrib_crm.testing import EXTERNAL_ID

README = (Path(__file__).parents[1] / "README.md").read_text()
ROWS = (
    README.split("```csv\n")[1].split("```")[0] + "g, user:alice, sales, acme\ng, agent:closer, sales, acme\n"
)
"""The policy that the README offers, for one user and one agent."""

CONFIG = """
[packs]
trust = "installed"
[packs.crm]
row_cap = 50
[approvals]
mode = "park"
"""


@pytest.fixture
def crib(tmp_path):
    made = make_crib(tmp_path, ROWS, config=CONFIG)
    yield made
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ToolcribWarning)
        made.close()


async def test_a_closed_deal_stays_closed_whichever_door_is_tried(crib):
    me = crib.principal("closer", "alice")
    won = DEMO.won_opportunity_id
    by_stage = {"opportunity_id": won, "stage": "Prospecting"}
    assert (await crib.call("crm.set_opportunity_stage", by_stage, me)).status == "denied"
    by_field = {"object_type": "Opportunity", "record_id": won, "changes": {"stage": "Prospecting"}}
    refused = await crib.call("crm.update_record", by_field, me)
    assert (refused.status, "stage may not be changed" in refused.text) == ("failed", True)
    open_deal = {"opportunity_id": DEMO.open_opportunity_id, "stage": "Closed Lost"}
    parked = await crib.call("crm.set_opportunity_stage", open_deal, me)
    assert parked.status == "pending"  # the README's policy has the requester look first
    seen = await crib.call("crm.get_record", {"object_type": "Opportunity", "record_id": won}, me)
    assert (seen.value["stage"], seen.labels) == ("Closed Won", {"confidential", "untrusted"})


async def test_only_what_a_role_may_do_is_offered(crib):
    offered = {tool.name for tool in crib.tools_for(crib.principal("closer", "alice"))}
    assert "crm.set_opportunity_stage" in offered
    assert not offered & {"crm.create_contact", "crm.delete_record", "crm.convert_lead"}
    assert crib.tools_for(crib.principal("closer", "mallory")) == []


async def test_results_are_json_all_the_way(crib):
    me = crib.principal("closer", "alice")
    for tool, arguments in (
        ("search_accounts", {"text": "ozzel"}),
        ("get_account_overview", {"account_id": DEMO.account_id}),
        ("search_contacts", {"account_id": DEMO.account_id}),
        ("list_opportunities", {"open_only": False, "limit": 60}),
        ("get_record", {"object_type": "Lead", "record_id": DEMO.injected_lead_id}),
        ("run_query", {"query": "SELECT id, created_at, close_date, is_won FROM Opportunity"}),
        ("describe_object", {"object_type": "Activity"}),
    ):
        result = await crib.call(f"crm.{tool}", arguments, me)
        assert result.status == "done", result.text
        assert json.loads(json.dumps(result.value)) == result.value
    assert len(result.value["fields"]) > 5
    many = await crib.call("crm.list_opportunities", {"open_only": False, "limit": 60}, me)
    assert (len(many.value["records"]), many.value["more"]) == (50, True)


async def test_a_query_that_cannot_be_read_is_told_so_that_a_model_can_mend_it(crib):
    me = crib.principal("closer", "alice")
    result = await crib.call("crm.run_query", {"query": "SELECT secret FROM Account"}, me)
    assert result.status == "failed"
    assert "no field 'secret'" in result.text
    assert "annual_revenue" in result.text


VENDOR = """
[packs]
trust = "installed"
[packs.crm]
backend = "salesforce"
{settings}
[packs.crm.secrets]
salesforce = "crm/{{tenant}}/salesforce"
[secrets]
provider = "env"
"""
USER = {"username": "alice@acme.example", "password": "pass<&>word", "security_token": "tok&en42"}
NOT_REVIEWED = "\n".join(row for row in ROWS.splitlines() if not row.startswith("p2"))


@pytest.fixture
def over_salesforce(tmp_path, fake, monkeypatch):
    monkeypatch.setenv("TOOLCRIB_SECRET_CRM__ACME__SALESFORCE", json.dumps(USER))
    monkeypatch.setattr(salesforce, "Org", lambda settings, _: Org(settings, fake.transport()))
    made = []

    def opened(settings=""):
        made.append(make_crib(tmp_path, NOT_REVIEWED, config=VENDOR.format(settings=settings)))
        return made[-1]

    yield opened
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ToolcribWarning)
        for crib in made:
            crib.close()


LEAD = {"last_name": "Kettleby", "company": "Cut Off"}


async def test_a_lead_whose_answer_is_lost_ends_ambiguous_and_is_never_made_twice(over_salesforce, fake):
    """The connection is cut after Salesforce wrote and before it answered, and no field holds the key."""
    crib = over_salesforce()
    me = crib.principal("closer", "alice")
    await crib.call("crm.search_accounts", {}, me)
    fake.vanish()
    lost = await crib.call("crm.create_lead", LEAD, me)
    assert lost.status == "ambiguous", lost.text
    again = await crib.call("crm.create_lead", LEAD, me)
    assert again.status == "ambiguous"  # until a human has settled the first
    assert [what for what, _ in fake.changes] == ["create"]
    assert not any(
        value in f"{lost.text}{again.text}" for value in (USER["password"], USER["security_token"])
    )


async def test_with_a_field_for_its_key_a_lost_lead_is_found_and_the_call_is_done(over_salesforce, fake):
    crib = over_salesforce(f'external_id = "{EXTERNAL_ID}"')
    me = crib.principal("closer", "alice")
    await crib.call("crm.search_accounts", {}, me)
    fake.vanish()
    made = await crib.call("crm.create_lead", LEAD, me)
    assert made.status == "done", made.text
    assert fake.changes == [("create", made.value["id"])]


async def test_an_update_whose_answer_is_lost_is_repeated_by_the_executor_alone(over_salesforce, fake):
    crib = over_salesforce()
    me = crib.principal("closer", "alice")
    await crib.call("crm.search_accounts", {}, me)
    fake.vanish()
    change = {"object_type": "Lead", "record_id": DEMO.lead_id, "changes": {"rating": "Hot"}}
    done = await crib.call("crm.update_record", change, me)
    assert done.status == "done", done.text
    assert fake.changes == [("update", DEMO.lead_id)] * 2  # says the same again, which changes nothing
    assert fake.store.get("Lead", DEMO.lead_id)["Rating"] == "Hot"


async def test_a_limit_is_waited_for_and_the_read_goes_on(over_salesforce, fake):
    crib = over_salesforce()
    me = crib.principal("closer", "alice")
    await crib.call("crm.search_accounts", {}, me)
    limit = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    fake.fail(403, limit, {"retry-after": "0"})
    result = await crib.call("crm.search_accounts", {"text": DEMO.company}, me)
    assert result.status == "done", result.text
    assert [account["name"] for account in result.value["records"]] == [DEMO.company]
