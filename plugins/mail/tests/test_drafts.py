"""Drafts: the same content is the same draft, of one user."""

import pytest

from toolcrib.errors import VendorRefused

TO = ["bob@customer.example"]


def test_a_draft_has_an_id_and_shows_how_it_reads(mail, outbox, context):
    draft = mail.draft(TO, "Your mills", "Dear Bob,\r\nhello.", context(), cc=["eve@acme.example"])
    assert draft.text == (
        "To: bob@customer.example\nCc: eve@acme.example\nSubject: Your mills\n\nDear Bob,\nhello.\n"
    )
    assert draft.draft_id.startswith("draft-")
    assert not outbox.exists()


def test_without_copies_there_is_no_such_line(mail, context):
    assert mail.draft(TO, "s", "b", context()).text == "To: bob@customer.example\nSubject: s\n\nb\n"


def test_the_same_content_is_the_same_draft_whatever_the_key(mail, tmp_path, context):
    first = mail.draft(TO, "s", "b", context(key="run:1"))
    assert mail.draft(TO, "s", "b", context(key="run:2")) == first
    assert len(list((tmp_path / "drafts").iterdir())) == 1


def test_other_content_is_another_draft(mail, context):
    ids = {
        mail.draft(to, subject, body, context(), cc=cc).draft_id
        for to, subject, body, cc in [
            (TO, "s", "b", []),
            (["x@y.example"], "s", "b", []),
            (TO, "t", "b", []),
            (TO, "s", "c", []),
            (TO, "s", "b", ["x@y.example"]),
        ]
    }
    assert len(ids) == 5


def test_a_draft_is_read_by_agents_of_its_user(mail, context):
    draft = mail.draft(TO, "s", "b", context(agent="writer"))
    assert mail.get_draft(context(agent="mailer"), draft.draft_id) == draft


@pytest.mark.parametrize("other", [{"user": "bob"}, {"user": None}, {"tenant": "rival"}])
def test_a_draft_is_not_there_for_other_users(mail, context, other):
    draft = mail.draft(TO, "s", "b", context())
    with pytest.raises(VendorRefused, match="there is no draft"):
        mail.get_draft(context(**other), draft.draft_id)
    assert mail.draft(TO, "s", "b", context(**other)).draft_id != draft.draft_id


@pytest.mark.parametrize(
    "draft_id", ["draft-" + "0" * 24, "../secrets", "draft-x", "", "draft-" + "0" * 24 + "\n"]
)
def test_an_unknown_or_crooked_id_is_refused(mail, tmp_path, context, draft_id):
    (tmp_path / "secrets.json").write_text('{"owner": ["acme", "alice"]}')
    with pytest.raises(VendorRefused, match="there is no draft"):
        mail.get_draft(context(), draft_id)


def test_without_an_id_there_is_nothing_to_preview(mail, context):
    assert mail.get_draft(context()) is None


def test_a_draft_that_was_damaged_is_written_again(mail, tmp_path, context):
    draft = mail.draft(TO, "s", "b", context())
    (tmp_path / "drafts" / f"{draft.draft_id}.json").write_bytes(b"{")
    assert mail.draft(TO, "s", "b", context()) == draft
    assert mail.get_draft(context(), draft.draft_id) == draft


def test_sending_may_change_the_draft_that_it_names(mail, outbox, context):
    draft = mail.draft(TO, "s", "first words", context(agent="writer"))
    mail.send(TO, "s", "approved words", context(), draft_id=draft.draft_id)
    assert b"approved words" in next(outbox.iterdir()).read_bytes()


def test_sending_an_unknown_draft_is_refused_and_sends_nothing(mail, outbox, context):
    with pytest.raises(VendorRefused, match="there is no draft"):
        mail.send(TO, "s", "b", context(), draft_id="draft-" + "0" * 24)
    assert not outbox.exists()


def test_too_many_recipients_are_told_when_drafting(mail, context):
    with pytest.raises(VendorRefused, match="max_recipients"):
        mail.draft([f"u{n}@x.example" for n in range(5)], "s", "b", context())
