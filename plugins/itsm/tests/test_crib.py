"""The pack inside a crib: the README's policy, previews, reviews, secrets and the ledger meet the tools."""

import json
import warnings
from pathlib import Path

import pytest

from toolcrib.errors import ToolcribWarning
from toolcrib.testing.cribs import make_crib
from toolcrib.testing.relay import Relay
from toolcrib_itsm import servicenow
from toolcrib_itsm._servicenow_tables import Tables
from toolcrib_itsm.sample import DEMO
from toolcrib_itsm.testing import sys_id

README = (Path(__file__).parents[1] / "README.md").read_text()
ROWS = (
    README.split("```csv\n")[1].split("```")[0] + "g, user:alice, desk, acme\ng, agent:helper, desk, acme\n"
)
"""The policy that the README offers, for one user and one agent."""

CONFIG = """
[packs]
trust = "installed"
[packs.itsm]
{settings}
[packs.itsm.secrets]
servicenow = "itsm/{{tenant}}/servicenow"
roundup = "itsm/{{tenant}}/roundup"
[secrets]
provider = "env"
[approvals]
mode = "park"
"""
EMBEDDED = 'row_cap = 50\nupdatable = ["priority"]'
NOT_REVIEWED = "\n".join(row for row in ROWS.splitlines() if not row.startswith("p2"))


def opened(tmp_path, settings=EMBEDDED, rows=ROWS):
    return make_crib(tmp_path, rows, config=CONFIG.format(settings=settings))


@pytest.fixture
def crib(tmp_path):
    made = opened(tmp_path)
    yield made
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ToolcribWarning)
        made.close()


async def test_an_answer_waits_for_a_human_and_a_note_does_not(crib):
    me = crib.principal("helper", "alice")
    note = {"ticket_id": DEMO.known_ticket, "text": "internal"}
    assert (await crib.call("itsm.add_work_note", note, me)).status == "done"
    parked = await crib.call("itsm.add_public_comment", note, me)
    assert parked.status == "pending"
    journal = await crib.call("itsm.list_journal", {"ticket_id": DEMO.known_ticket}, me)
    assert [entry["internal"] for entry in journal.value["records"]] == [True]
    assert journal.labels == {"confidential", "untrusted"}


async def test_what_is_done_is_left_alone_by_the_preview(crib):
    me = crib.principal("helper", "alice")
    done = {"ticket_id": DEMO.known_ticket, "code": "solution", "notes": "x"}
    assert (await crib.call("itsm.resolve", done, me)).status == "done"
    change = {"ticket_id": DEMO.known_ticket, "changes": {"priority": "low"}}
    assert (await crib.call("itsm.update_incident", change, me)).status == "denied"
    note = {"ticket_id": DEMO.known_ticket, "text": "too late"}
    assert (await crib.call("itsm.add_work_note", note, me)).status == "denied"


async def test_nothing_is_ordered_and_no_change_decided(crib):
    me = crib.principal("helper", "alice")
    offered = {tool.name for tool in crib.tools_for(me)}
    assert {"itsm.resolve", "itsm.add_public_comment"} <= offered
    assert not offered & {"itsm.submit_catalog_request", "itsm.decide_change_approval"}
    assert crib.tools_for(crib.principal("helper", "mallory")) == []


async def test_results_are_json_all_the_way(crib):
    me = crib.principal("helper", "alice")
    for tool, arguments in (
        ("search_tickets", {"kind": None, "limit": 60, "active_only": False}),
        ("get_ticket", {"ticket_id": DEMO.change}),
        ("list_journal", {"ticket_id": "INC0000001"}),
        ("search_knowledge", {"text": "vpn"}),
        ("get_ci", {"ci": DEMO.ci}),
        ("find_user", {"text": "a"}),
    ):
        result = await crib.call(f"itsm.{tool}", arguments, me)
        assert result.status == "done", result.text
        assert json.loads(json.dumps(result.value)) == result.value
    many = await crib.call("itsm.search_tickets", {"limit": 60, "active_only": False}, me)
    assert (len(many.value["records"]), many.value["more"]) == (50, True)


async def test_a_comment_whose_answer_is_lost_ends_ambiguous_and_is_never_sent_twice(
    tmp_path, fake, monkeypatch
):
    """The connection is cut after ServiceNow wrote and before it answered."""
    account = {"username": "alice.sn", "password": "pass^word<&>"}
    monkeypatch.setenv("TOOLCRIB_SECRET_ITSM__ACME__SERVICENOW", json.dumps(account))
    monkeypatch.setattr(servicenow, "Tables", lambda settings, _: Tables(settings, fake.transport()))
    crib = opened(tmp_path, 'backend = "servicenow"\ninstance = "acme"', NOT_REVIEWED)
    me = crib.principal("helper", "alice")
    ticket = sys_id(DEMO.known_ticket)
    comment = {"ticket_id": ticket, "text": "Said once"}
    fake.vanish()
    lost = await crib.call("itsm.add_public_comment", comment, me)
    assert lost.status == "ambiguous", lost.text
    assert "pass^word" not in lost.text
    again = await crib.call("itsm.add_public_comment", comment, me)
    assert again.status == "ambiguous"  # until a human has settled the first
    said = [row for row in fake.instance.tables["sys_journal_field"].values() if row["value"] == "Said once"]
    assert [row["element"] for row in said] == ["comments"]
    fake.vanish()
    made = await crib.call("itsm.create_incident", {"title": "Found again", "description": "x"}, me)
    assert made.status == "done", made.text  # by its correlation id
    rows = [r for r in fake.instance.tables["incident"].values() if r["short_description"] == "Found again"]
    assert [row["sys_id"] for row in rows] == [made.value["id"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ToolcribWarning)
        crib.close()


async def test_on_roundup_an_incident_whose_answer_is_lost_ends_ambiguous_and_is_never_opened_twice(
    tmp_path, classic_tracker, monkeypatch
):
    """A real tracker of the template has no field for the call's key; its answer is cut on the way."""
    account = {"username": "alice", "password": classic_tracker.password}
    monkeypatch.setenv("TOOLCRIB_SECRET_ITSM__ACME__ROUNDUP", json.dumps(account))
    with Relay(classic_tracker.url) as relay:
        crib = opened(tmp_path, f'backend = "roundup"\nurl = "{relay.url}"', NOT_REVIEWED)
        me = crib.principal("helper", "alice")
        incident = {"title": "Cut off on the way back", "description": "x"}
        monkeypatch.setattr(
            relay, "wrote", lambda request, reply: request.path == "/rest/data/issue" and reply.status == 201
        )
        relay.vanish()
        lost = await crib.call("itsm.create_incident", incident, me)
        assert lost.status == "ambiguous", lost.text
        assert classic_tracker.password not in lost.text
        again = await crib.call("itsm.create_incident", incident, me)
        assert again.status == "ambiguous"  # until a human has settled the first
        found = await crib.call("itsm.search_tickets", {"text": incident["title"]}, me)
        assert [each["title"] for each in found.value["records"]] == [incident["title"]]
        relay.fail(429, headers={"retry-after": "0"})
        waited = await crib.call("itsm.search_tickets", {"text": "Cut off on the way back"}, me)
        assert waited.status == "done", waited.text
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ToolcribWarning)
            crib.close()
