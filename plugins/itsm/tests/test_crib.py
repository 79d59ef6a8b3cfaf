"""The pack inside a crib: the README's policy, previews, reviews, secrets and the ledger meet the tools."""

import json
import warnings
from pathlib import Path

import pytest

from toolcrib.errors import ToolcribWarning
from toolcrib.testing.cribs import make_crib
from toolcrib_itsm.sample import DEMO

README = (Path(__file__).parents[1] / "README.md").read_text()
ROWS = (
    README.split("```csv\n")[1].split("```")[0] + "g, user:alice, desk, acme\ng, agent:helper, desk, acme\n"
)
"""The policy that the README offers, for one user and one agent."""

CONFIG = """
[packs]
trust = "installed"
[packs.itsm]
row_cap = 50
updatable = ["priority"]
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
