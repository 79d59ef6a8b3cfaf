"""What lies in the outbox is what was asked for, once."""

import errno
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolcrib.errors import NotSent, VendorRefused
from toolcrib_mail import Mail, MailSettings

TO = ["bob@customer.example"]


def messages(outbox):
    return [
        message_from_bytes(file.read_bytes(), policy=policy.default) for file in sorted(outbox.glob("*.eml"))
    ]


def body_of(message):
    return message.get_content().replace("\r\n", "\n")


def addresses(header):
    return [address.addr_spec for address in header.addresses] if header else []


def test_a_message_is_written_with_all_its_headers(mail, outbox, context):
    sent = mail.send(TO, "Your mills", "Dear Bob,\n\nhello.\n", context(), cc=["eve@acme.example"])
    (message,) = messages(outbox)
    assert message["From"] == "sales@acme.example"
    assert (addresses(message["To"]), addresses(message["Cc"])) == (TO, ["eve@acme.example"])
    assert message["Subject"] == "Your mills"
    assert body_of(message) == "Dear Bob,\n\nhello.\n"
    assert message["Message-ID"] == sent.message_id
    assert sent.message_id.endswith("@acme.example>")
    assert abs(message["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=5)
    assert message.get_content_type() == "text/plain"
    assert not message.defects
    assert (outbox / sent.file).exists()


def test_the_file_is_pure_ascii_with_crlf_and_private(mail, outbox, context):
    mail.send(TO, "Grüße über Mühlen", "Mühle ✓ " * 200, context())
    (file,) = outbox.iterdir()
    data = file.read_bytes()
    assert data.isascii()
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(outbox.stat().st_mode) == 0o700


def test_no_cc_means_no_header(mail, outbox, context):
    mail.send(TO, "s", "b", context())
    assert messages(outbox)[0]["Cc"] is None


def test_the_same_call_twice_is_one_message_and_one_answer(mail, outbox, context):
    assert mail.send(TO, "s", "b", context()) == mail.send(TO, "s", "b", context())
    assert len(messages(outbox)) == 1


def test_the_same_call_from_a_new_process_is_still_one_message(mail, outbox, context, tmp_path):
    again = Mail(MailSettings(sender="sales@acme.example"), tmp_path)
    assert mail.send(TO, "s", "b", context()) == again.send(TO, "s", "b", context())
    assert len(messages(outbox)) == 1


def test_the_same_call_many_times_at_once_is_one_message(mail, outbox, context):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: mail.send(TO, "s", "b", context()), range(32)))
    assert len({answer.message_id for answer in answers}) == 1
    assert [file.suffix for file in outbox.iterdir()] == [".eml"]


@pytest.mark.parametrize(
    ("to", "subject", "body"),
    [(["other@customer.example"], "s", "b"), (TO, "other", "b"), (TO, "s", "other")],
)
def test_the_same_key_with_another_message_is_refused(mail, outbox, context, to, subject, body):
    mail.send(TO, "s", "b", context())
    with pytest.raises(VendorRefused, match="already sent another message"):
        mail.send(to, subject, body, context())
    (message,) = messages(outbox)
    assert (addresses(message["To"]), message["Subject"], body_of(message)) == (TO, "s", "b\n")


@pytest.mark.parametrize(
    "other", [{"key": "run:2"}, {"user": "carol"}, {"user": None}, {"agent": "x"}, {"tenant": "y"}]
)
def test_other_calls_and_other_principals_are_other_messages(mail, outbox, context, other):
    mail.send(TO, "s", "b", context())
    mail.send(TO, "s", "b", context(**other))
    assert len(messages(outbox)) == 2


def test_keys_do_not_become_paths(mail, outbox, context):
    mail.send(TO, "s", "b", context(key="../../../etc/x\0y"))
    assert len(list(outbox.iterdir())) == 1


def test_an_address_named_twice_gets_one_message(mail, outbox, context):
    sent = mail.send([*TO, *TO], "s", "b", context(), cc=[*TO, "eve@acme.example", "eve@acme.example"])
    assert (sent.to, sent.cc) == (tuple(TO), ("eve@acme.example",))
    assert addresses(messages(outbox)[0]["Cc"]) == ["eve@acme.example"]


def test_too_many_recipients_are_refused_and_as_many_as_allowed_are_not(mail, outbox, context):
    four = [f"u{number}@customer.example" for number in range(4)]
    with pytest.raises(VendorRefused, match="max_recipients = 4"):
        mail.send(four, "s", "b", context(), cc=["u5@customer.example"])
    assert not outbox.exists()
    mail.send(four, "s", "b", context())
    assert len(messages(outbox)) == 1


def test_a_full_disk_is_not_sent_and_leaves_nothing(mail, outbox, context, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NotSent, match="No space left"):
            mail.send(TO, "s", "b", context())
    assert list(outbox.iterdir()) == []
    mail.send(TO, "s", "b", context())
    assert len(messages(outbox)) == 1


def test_an_outbox_that_cannot_be_made_is_not_sent(tmp_path, context):
    (tmp_path / "outbox").write_text("a file in the way")
    with pytest.raises(NotSent):
        Mail(MailSettings(), tmp_path).send(TO, "s", "b", context())


def test_the_outbox_may_lie_elsewhere(tmp_path, context):
    mail = Mail(MailSettings(outbox=tmp_path / "spool" / "out"), tmp_path / "pack")
    sent = mail.send(TO, "s", "b", context())
    assert (tmp_path / "spool" / "out" / sent.file).exists()


# --- round trip -----------------------------------------------------------------------------------

ONE_LINE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")), min_size=1, max_size=120
)
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), include_characters="\n\t"), min_size=1
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(subject=ONE_LINE, body=TEXT, number=st.integers(0, sys.maxsize))
def test_whatever_is_written_reads_back_the_same(mail, outbox, context, subject, body, number):
    sent = mail.send(TO, subject, body, context(key=f"run:{number}:{hash((subject, body))}"))
    message = message_from_bytes((outbox / sent.file).read_bytes(), policy=policy.default)
    assert sorted(message.keys()) == sorted(
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Content-Type",
            "Content-Transfer-Encoding",
            "MIME-Version",
        ]
    )
    assert addresses(message["To"]) == TO
    assert "".join(str(message["Subject"]).split()) == "".join(subject.split())
    assert body_of(message) == body.rstrip("\n") + "\n"


def test_long_addresses_fold_and_read_back(tmp_path, context):
    domain = ".".join(["a-rather-long-label-of-a-domain"] * 6) + ".example"
    mail = Mail(MailSettings(sender=f"sales@{domain}"), tmp_path)
    to = [f"somebody.with.a.long.name{number}@{domain}" for number in range(5)]
    sent = mail.send(to, "word " * 39, "b", context())
    assert mail.send(to, "word " * 39, "b", context()) == sent
    (message,) = messages(tmp_path / "outbox")
    assert addresses(message["To"]) == to
    assert message["Message-ID"].strip() == sent.message_id
