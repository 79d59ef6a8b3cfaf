"""The connection is cut after Salesforce wrote and before it answered: every write, through a whole crib.

No write is done twice. Where the record itself can say that it is there, the call is done; else it ends
`ambiguous`, and stays so until a human has settled it.
"""

import pytest

from toolcrib_crm.sample import DEMO
from toolcrib_crm.testing import EXTERNAL_ID

ROWS = """
p, *, *, crm.*, *, True, allow
p, *, *, secret:crm.salesforce, use, True, allow
"""
KEYED = f'external_id = "{EXTERNAL_ID}"'
LEAD = {"object_type": "Lead", "record_id": DEMO.lead_id}

WRITES = {
    "create_lead": {"last_name": "Kettleby", "company": "Cut Off"},
    "create_contact": {"account_id": DEMO.account_id, "last_name": "Vasslow"},
    "update_record": {**LEAD, "changes": {"rating": "Hot"}},
    "set_opportunity_stage": {"opportunity_id": DEMO.open_opportunity_id, "stage": "Closed Lost"},
    "log_activity": {"about_id": DEMO.lead_id, "kind": "Call", "subject": "Asked"},
    "convert_lead": {"lead_id": DEMO.lead_id},
    "delete_record": LEAD,
}
CREATES = ("create_lead", "create_contact", "log_activity")
IDEMPOTENT = ("update_record", "set_opportunity_stage")


def test_every_write_is_tried(crm):
    from toolcrib.tools import tools_of

    tools = {tool.name.removeprefix("crm."): tool for tool in tools_of(crm, pack="crm")}
    assert {name for name, tool in tools.items() if tool.effect != "read"} == set(WRITES)
    assert {name for name in WRITES if tools[name].idempotent} == set(IDEMPOTENT)


def writes(fake):
    """The requests that would change a record, whether they were answered or not."""
    return [
        request for request in fake.requests
        if (request.method in ("POST", "PATCH", "DELETE") and "/sobjects/" in request.path)
        or b"convertLead" in request.body
    ]  # fmt: skip


@pytest.fixture
async def ready(over_salesforce, fake):
    """A crib that is logged in, and who calls: what is lost is the write, not the login."""

    async def opened(settings=""):
        crib = over_salesforce(ROWS, settings)
        me = crib.principal("closer", "alice")
        assert (await crib.call("crm.search_accounts", {}, me)).status == "done"
        return crib, me

    return opened


def unquoted(result):
    assert not any(value in result.text for value in ("pass<&>word", "tok&en42"))
    return result.status


@pytest.mark.parametrize("tool", WRITES)
async def test_with_the_vendor_gone_it_ends_ambiguous_and_is_written_once(ready, fake, tool):
    crib, me = await ready()
    fake.vanish(for_good=True)
    lost = await crib.call(f"crm.{tool}", WRITES[tool], me)
    assert unquoted(lost) == "ambiguous", lost.text
    fake.relent()
    sent = len(writes(fake))
    again = await crib.call(f"crm.{tool}", WRITES[tool], me)
    assert unquoted(again) == "ambiguous"  # until a human has settled the first
    assert len(writes(fake)) == sent and len(fake.changes) == 1


@pytest.mark.parametrize("tool", [name for name in WRITES if name not in IDEMPOTENT])
async def test_with_the_vendor_back_at_once_it_is_not_sent_again(ready, fake, tool):
    crib, me = await ready()
    fake.vanish()
    lost = await crib.call(f"crm.{tool}", WRITES[tool], me)
    assert unquoted(lost) == "ambiguous", lost.text
    assert unquoted(await crib.call(f"crm.{tool}", WRITES[tool], me)) == "ambiguous"
    assert len(writes(fake)) == len(fake.changes) == 1


@pytest.mark.parametrize("tool", CREATES)
async def test_with_a_field_for_its_key_a_lost_record_is_found_and_the_call_is_done(ready, fake, tool):
    crib, me = await ready(KEYED)
    fake.vanish()
    made = await crib.call(f"crm.{tool}", WRITES[tool], me)
    assert made.status == "done", made.text
    assert fake.changes == [("create", made.value["id"])] and len(writes(fake)) == 1


@pytest.mark.parametrize("tool", CREATES)
async def test_with_a_field_for_its_key_and_the_vendor_gone_it_is_left_open(ready, fake, tool):
    crib, me = await ready(KEYED)
    fake.vanish(for_good=True)
    assert (await crib.call(f"crm.{tool}", WRITES[tool], me)).status == "ambiguous"
    fake.relent()
    assert (await crib.call(f"crm.{tool}", WRITES[tool], me)).status == "ambiguous"
    assert len(fake.changes) == len(writes(fake)) == 1


async def test_an_idempotent_change_is_repeated_by_the_executor_and_says_the_same_again(ready, fake):
    crib, me = await ready()
    fake.vanish()
    done = await crib.call("crm.update_record", WRITES["update_record"], me)
    assert done.status == "done", done.text
    assert fake.changes == [("update", DEMO.lead_id)] * 2
    assert len({request.body for request in writes(fake)}) == 1
    assert fake.store.get("Lead", DEMO.lead_id)["Rating"] == "Hot"


async def test_a_stage_whose_answer_is_lost_is_seen_to_be_set_and_not_set_again(ready, fake):
    crib, me = await ready()
    fake.vanish()
    done = await crib.call("crm.set_opportunity_stage", WRITES["set_opportunity_stage"], me)
    assert (done.status, done.value["stage"]) == ("done", "Closed Lost")
    assert len(writes(fake)) == len(fake.changes) == 1
