"""The tools through a whole crib: decided, keyed and recorded."""

import importlib.resources
from email import message_from_bytes, policy

import pytest

from toolcrib import Crib, Principal

MODEL = (importlib.resources.files("toolcrib_policies") / "model.conf").read_text()
CONFIG = """
[crib]
tenant = "acme"
[packs]
trust = "installed"
[packs.mail]
sender = "s@acme.example"
[approvals]
mode = "park"
"""
ROWS = """
p, *, *, mail.*, *, True, allow
p, *, *, mail.send, send, 'rival@evil.example' in r.ctx.args.to, deny
p3, *, *, mail.send, 2/day per user
"""
ALICE = Principal(agent="mailer", user="alice", tenant="acme", session="s", run="r")
MESSAGE = {"to": ["bob@customer.example"], "subject": "Mills", "body": "Dear Bob"}


@pytest.fixture
async def crib(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "model.conf").write_text(MODEL)
    (tmp_path / "policies" / "policy.csv").write_text(ROWS.lstrip())
    (tmp_path / "toolcrib.toml").write_text(CONFIG)
    with Crib.from_config(tmp_path / "toolcrib.toml") as crib:
        yield crib


def outbox(tmp_path):
    return sorted((tmp_path / ".toolcrib" / "packs" / "mail" / "outbox").glob("*.eml"))


async def test_a_draft_is_made_shown_and_sent(crib, tmp_path):
    draft = await crib.call("mail.draft", MESSAGE, ALICE)
    assert "Dear Bob" in draft.value["text"]
    sent = await crib.call("mail.send", {**MESSAGE, "draft_id": draft.value["draft_id"]}, ALICE)
    assert (sent.status, sent.value["to"]) == ("done", MESSAGE["to"])
    (file,) = outbox(tmp_path)
    assert message_from_bytes(file.read_bytes(), policy=policy.default)["Subject"] == "Mills"


async def test_policy_sees_the_recipients(crib, tmp_path):
    denied = await crib.call("mail.send", {**MESSAGE, "to": ["rival@evil.example"]}, ALICE)
    allowed = await crib.call("mail.send", MESSAGE, ALICE)
    assert (denied.status, allowed.status) == ("denied", "done")
    assert len(outbox(tmp_path)) == 1


async def test_the_same_key_sends_once(crib, tmp_path):
    first = await crib.call("mail.send", MESSAGE, ALICE, idempotency_key="k")
    again = await crib.call("mail.send", MESSAGE, ALICE, idempotency_key="k")
    assert first.value == again.value
    assert len(outbox(tmp_path)) == 1


async def test_a_header_in_an_address_is_invalid_and_sends_nothing(crib, tmp_path):
    result = await crib.call("mail.send", {**MESSAGE, "to": ["bob@b.example\r\nBcc: e@evil.example"]}, ALICE)
    assert result.status == "invalid"
    assert not outbox(tmp_path)


async def test_a_refusal_by_the_pack_is_a_failure_and_not_ambiguous(crib):
    unknown = await crib.call("mail.send", {**MESSAGE, "draft_id": "draft-" + "0" * 24}, ALICE)
    assert unknown.status == "failed"
    assert "there is no draft" in unknown.text


@pytest.mark.parametrize("with_draft", [True, False])
async def test_a_review_shows_the_draft_where_there_is_one(crib, tmp_path, with_draft):
    draft = await crib.call("mail.draft", MESSAGE, ALICE)
    rows = tmp_path / "policies" / "policy.csv"
    rows.write_text(rows.read_text() + "p2, *, *, mail.send, send, True, requester\n")
    crib.reload()
    more = {"draft_id": draft.value["draft_id"]} if with_draft else {}
    result = await crib.call("mail.send", {**MESSAGE, "body": "Dear Bob, changed", **more}, ALICE)
    assert result.status == "pending"
    waiting = crib.state.get_approval(result.approval)
    assert (waiting.before or {}).get("body") == ("Dear Bob" if with_draft else None)
    assert not outbox(tmp_path)
