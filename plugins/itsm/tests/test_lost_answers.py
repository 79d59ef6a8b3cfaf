"""The connection is cut after the vendor wrote and before it answered: every write, through a whole crib.

No write is done twice. Where the vendor's own record can say that it is there, the call is done; else it ends
`ambiguous`, and stays so until a human has settled it. On the way to a fake ServiceNow and a real Roundup.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from toolcrib import Crib, Principal
from toolcrib.errors import ToolcribWarning
from toolcrib.testing import FakeService
from toolcrib.testing.cribs import make_crib
from toolcrib.testing.relay import Relay
from toolcrib.tools import tools_of
from toolcrib_itsm._servicenow_tables import Tables
from toolcrib_itsm.testing import TrackerUser

ROWS = """
p, *, *, itsm.*, *, True, allow
p, *, *, secret:itsm.servicenow, use, True, allow
p, *, *, secret:itsm.roundup, use, True, allow
"""
CONFIG = """
[packs]
trust = "installed"
[packs.itsm]
{settings}
[packs.itsm.secrets]
{name} = "itsm/{{tenant}}/{name}"
[secrets]
provider = "env"
"""
TEXT = {"text": "Said once"}
RESOLVED = {"code": "solution", "notes": "Said once"}
DECIDED = {"decision": "approve", "reason": "Said once"}

WRITES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "create_incident": lambda scene: {"title": "Cut off", "description": "x"},
    "create_change": lambda scene: {"title": "Cut off", "description": "x"},
    "update_incident": lambda scene: {"ticket_id": scene.ticket, "changes": {"priority": "low"}},
    "assign": lambda scene: {"ticket_id": scene.ticket, "assignee_id": scene.technician},
    "add_work_note": lambda scene: {"ticket_id": scene.ticket, **TEXT},
    "add_public_comment": lambda scene: {"ticket_id": scene.ticket, **TEXT},
    "resolve": lambda scene: {"ticket_id": scene.ticket, **RESOLVED},
    "submit_catalog_request": lambda scene: {"item": "Second screen"},
    "decide_change_approval": lambda scene: {"change_id": scene.change, **DECIDED},
}
IDEMPOTENT = ("update_incident", "assign")
FOUND_AGAIN = {
    "servicenow": ("create_incident", "create_change"),  # by their correlation id
    "roundup": ("create_incident", "add_work_note", "add_public_comment", "resolve"),  # the issue says so
    "classic": ("add_public_comment",),
}
NO_PLACE = ("create_change", "submit_catalog_request", "decide_change_approval")
LACKS = {
    "servicenow": (),
    "roundup": NO_PLACE,
    "classic": (*NO_PLACE, "add_work_note", "resolve"),
}
EVERY = [(name, tool) for name in LACKS for tool in WRITES if tool not in LACKS[name]]


@dataclass
class Scene:
    """A crib over a vendor that can fail; `writes` are the requests that would change a ticket."""

    crib: Crib
    me: Principal
    vendor: FakeService
    ticket: str
    technician: str
    change: str = ""
    password: str = field(default="", repr=False)

    async def call(self, tool):
        result = await self.crib.call(f"itsm.{tool}", WRITES[tool](self), self.me)
        assert self.password not in result.text
        return result

    def writes(self):
        return [request for request in self.vendor.requests if is_write(request)]


def is_write(request):
    """Of a ticket: Roundup has messages apart, which nobody is shown before they are on an issue."""
    return request.method in ("POST", "PATCH") and request.path not in ("/oauth_token.do", "/rest/data/msg")


class TicketRelay(Relay):
    def wrote(self, request, reply):
        return super().wrote(request, reply) and is_write(request)


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Opens a crib over a backend with this secret."""
    made = []

    def open_crib(name, settings, account):
        monkeypatch.setenv(f"TOOLCRIB_SECRET_ITSM__ACME__{name.upper()}", json.dumps(account))
        made.append(make_crib(tmp_path, ROWS, config=CONFIG.format(settings=settings, name=name)))
        return made[-1], made[-1].principal("helper", "alice")

    yield open_crib
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ToolcribWarning)
        for crib in made:
            crib.close()


@pytest.fixture
def over_servicenow(opened, servicenow, fake, monkeypatch):
    monkeypatch.setattr("toolcrib_itsm.servicenow.Tables", lambda each, _: Tables(each, fake.transport()))
    crib, me = opened("servicenow", 'backend = "servicenow"\ninstance = "acme"', servicenow.secret)
    ids = {"ticket": servicenow.known, "technician": servicenow.technician}
    return Scene(
        crib, me, fake, **ids, change=servicenow.extra["change"], password=servicenow.secret["password"]
    )


def over_tracker(opened, tracker, kind):
    with TicketRelay(tracker.url) as relay, TrackerUser(tracker) as requester:
        account = {"username": "alice", "password": tracker.password}
        settings = f'backend = "roundup"\nurl = "{relay.url}"\ntracker = "{kind}"'
        crib, me = opened("roundup", settings, account)
        ticket = requester.opens("It is broken", "x")
        yield Scene(crib, me, relay, ticket, technician="3", password=tracker.password)


@pytest.fixture
def over_roundup(opened, tracker):
    yield from over_tracker(opened, tracker, "extended")


@pytest.fixture
def over_classic(opened, classic_tracker):
    yield from over_tracker(opened, classic_tracker, "classic")


@pytest.fixture
def scene(request, name):
    return request.getfixturevalue(f"over_{name}")


def test_every_write_is_tried(embedded):
    tools = {tool.name.removeprefix("itsm."): tool for tool in tools_of(embedded.itsm, pack="itsm")}
    assert {name for name, tool in tools.items() if tool.effect != "read"} == set(WRITES)
    assert {name for name in WRITES if tools[name].idempotent} == set(IDEMPOTENT)


@pytest.mark.parametrize(("name", "tool"), EVERY)
async def test_with_the_vendor_gone_it_ends_ambiguous_and_is_written_once(scene, tool):
    await scene.crib.call("itsm.search_tickets", {}, scene.me)
    scene.vendor.vanish(for_good=True)
    lost = await scene.call(tool)
    assert lost.status == "ambiguous", lost.text
    sent = scene.writes()
    assert len(sent) == 1
    scene.vendor.relent()
    assert (await scene.call(tool)).status == "ambiguous"  # until a human has settled the first
    assert scene.writes() == sent


@pytest.mark.parametrize(("name", "tool"), [each for each in EVERY if each[1] not in IDEMPOTENT])
async def test_with_the_vendor_back_at_once_it_is_found_or_left_open_and_never_sent_again(scene, name, tool):
    scene.vendor.vanish()
    lost = await scene.call(tool)
    assert lost.status == ("done" if tool in FOUND_AGAIN[name] else "ambiguous"), lost.text
    assert len(scene.writes()) == 1
    if lost.status == "ambiguous":
        assert (await scene.call(tool)).status == "ambiguous"
        assert len(scene.writes()) == 1


@pytest.mark.parametrize(("name", "tool"), [each for each in EVERY if each[1] in IDEMPOTENT])
async def test_what_is_idempotent_is_repeated_by_the_executor_and_says_the_same_again(scene, tool):
    scene.vendor.vanish()
    done = await scene.call(tool)
    assert done.status == "done", done.text
    assert len(scene.writes()) == 2
    assert len({request.body for request in scene.writes()}) == 1


@pytest.mark.parametrize("name", ["roundup"])
@pytest.mark.parametrize("tool", ["create_incident", "add_work_note", "add_public_comment", "resolve"])
async def test_a_message_whose_answer_is_lost_is_on_no_issue_so_nothing_was_said(scene, tool, monkeypatch):
    monkeypatch.setattr(scene.vendor, "wrote", lambda request, reply: request.method == "POST")
    scene.vendor.vanish(for_good=True)
    lost = await scene.call(tool)
    assert lost.status == "failed" and "nothing was said on the issue" in lost.text
    assert scene.writes() == []
