"""Who has said yes to what: counting only, policy is asked who may."""

from __future__ import annotations

import pytest

from toolcrib.approvals import (
    Answer,
    approver_identity,
    approvers_of,
    require_status,
    unmet,
)
from toolcrib.approvals._judging import is_complete, require_entitled
from toolcrib.errors import (
    ApprovalExpired,
    ApprovalPending,
    ApprovalRejected,
    CallDenied,
    CallRefused,
    ConfigError,
)

ROLES = {"lea": "sales-lead", "max": "legal", "ceo": "sales-lead legal"}


def approves(person, row):
    alternatives = row.values[-1].split("|")
    return f"user:{person}" in alternatives or any(
        role in alternatives for role in ROLES.get(person, "").split()
    )


@pytest.mark.parametrize(
    ("people", "left"),
    [
        ([], [0, 1]),
        (["lea"], [1]),
        (["bob"], [1]),
        (["max"], [0]),
        (["lea", "max"], []),
        (["ceo"], []),
        (["stranger"], [0, 1]),
        (["lea", "lea"], [1]),
    ],
)
def test_every_row_needs_somebody_and_one_may_serve_several(lead, legal, yes, people, left):
    rows = (lead, legal)
    assert unmet(rows, [yes(by) for by in people], approves) == tuple(rows[n] for n in left)


def test_a_rejection_satisfies_nothing(lead):
    assert unmet((lead,), [Answer("reject", "lea", 1.0)], approves) == (lead,)


def test_an_edit_counts_as_a_yes_of_its_editor(lead, legal):
    assert unmet((lead, legal), [Answer("edit", "lea", 1.0, edit={})], approves) == (legal,)


def test_an_answer_completes_with_those_before_it(approval_of, lead, legal, yes):
    approval = approval_of(requirements=(lead, legal), answers=(yes("lea"),))
    assert is_complete(approval, yes("max"), approves)
    assert not is_complete(approval, yes("bob"), approves)


def test_an_edit_completes_only_by_itself(approval_of, lead, legal, yes):
    """Lea's yes was to other arguments."""
    approval = approval_of(requirements=(lead, legal), answers=(yes("lea"),))
    assert not is_complete(approval, Answer("edit", "max", 2.0, edit={}), approves)
    assert is_complete(approval, Answer("edit", "ceo", 2.0, edit={}), approves)


def test_an_approval_that_demands_nothing_is_approved_by_nobody(approval_of, yes):
    approval = approval_of(requirements=())
    assert not is_complete(approval, yes("ceo"), approves)
    with pytest.raises(CallDenied):
        require_entitled(approval, "ceo", approves)


def test_who_satisfies_no_row_may_not_answer_and_is_told_the_rows(approval_of, lead, legal):
    approval = approval_of(requirements=(lead, legal))
    require_entitled(approval, "max", approves)
    with pytest.raises(CallDenied) as caught:
        require_entitled(approval, "alice", approves)
    assert "'alice'" in caught.value.what
    assert "policy.csv:12" in caught.value.rule
    assert "needs sales-lead|user:bob" in caught.value.rule
    assert "policy.csv:31" in caught.value.rule


def test_the_approvers_are_the_last_field(lead):
    assert approvers_of(lead) == "sales-lead|user:bob"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("expired", ApprovalExpired),
        ("rejected", ApprovalRejected),
        ("pending", ApprovalPending),
        ("used", CallRefused),
        ("superseded", CallRefused),
        ("approved", CallRefused),
    ],
)
def test_each_status_has_its_error(approval_of, status, error):
    no = Answer("reject", "lea", 1.0, "too early")
    approval = approval_of(status=status, answers=(no,) if status == "rejected" else ())
    require_status(approval, status)
    with pytest.raises(error) as caught:
        require_status(approval)
    assert type(caught.value) is error
    assert approval.id in caught.value.what
    assert status in caught.value.what


def test_the_approver_is_the_system_user_mapped(monkeypatch):
    import os
    import pwd

    name = pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert approver_identity({name: "lea", "somebody-else": "ceo"}) == "lea"


def test_an_unmapped_user_approves_nothing(monkeypatch):
    with pytest.raises(ConfigError) as caught:
        approver_identity({"nobody-here": "lea"})
    assert "[approvals.users]" in caught.value.rule
    assert '= "USER"' in caught.value.remedy


def test_a_user_is_mapped_to_a_plain_id():
    import os
    import pwd

    with pytest.raises(ConfigError, match="not a valid id"):
        approver_identity({pwd.getpwuid(os.getuid()).pw_name: "role:*"})


def test_a_uid_without_a_name_is_known_by_its_number(monkeypatch):
    import os

    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    assert approver_identity({"987654": "lea"}) == "lea"
