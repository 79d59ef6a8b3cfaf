"""The pack inside a crib: previews, policy and labels meet the real tools."""

import json
import warnings
from pathlib import Path

import pytest

from toolcrib.errors import ToolcribWarning
from toolcrib.testing.cribs import make_crib
from toolcrib_crm.sample import DEMO

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


NOT_REVIEWED = "\n".join(row for row in ROWS.splitlines() if not row.startswith("p2"))


async def test_a_limit_is_waited_for_and_the_read_goes_on(over_salesforce, fake):
    crib = over_salesforce(NOT_REVIEWED)
    me = crib.principal("closer", "alice")
    await crib.call("crm.search_accounts", {}, me)
    limit = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    fake.fail(403, limit, {"retry-after": "0"})
    result = await crib.call("crm.search_accounts", {"text": DEMO.company}, me)
    assert result.status == "done", result.text
    assert [account["name"] for account in result.value["records"]] == [DEMO.company]
