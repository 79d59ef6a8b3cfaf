"""A mail toolkit over an empty folder, and call contexts."""

import time

import pytest

from toolcrib import CallContext, Principal
from toolcrib_mail import Mail, MailSettings


@pytest.fixture
def mail(tmp_path):
    return Mail(MailSettings(sender="sales@acme.example", max_recipients=4), tmp_path)


@pytest.fixture
def outbox(tmp_path):
    return tmp_path / "outbox"


@pytest.fixture
def context():
    def make(key="run:1", user="alice", agent="mailer", tenant="acme"):
        return CallContext(
            tool="mail.send",
            principal=Principal(agent=agent, user=user, tenant=tenant),
            call_id="call-1",
            idempotency_key=key,
            deadline=time.monotonic() + 30,
            fetch_secret=None,
        )

    return make
