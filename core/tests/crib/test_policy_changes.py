"""A crib keeps up with its policy: recorded, kept, checked, and an alert where a change is not taken."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import pytest

from toolcrib import Crib, tool
from toolcrib.audit import read
from toolcrib.errors import ToolcribWarning
from toolcrib.testing.cribs import make_crib

ALLOW = "p, *, acme, local.*, *, True, allow"
DENY = "p, *, acme, local.order, *, True, deny"


@tool(effect="write")
def order(item: str) -> str:
    """Order an item."""
    return item


@pytest.fixture
def crib(tmp_path: Path):
    with make_crib(tmp_path, ALLOW) as crib:
        crib.add(order)
        yield crib


def change(crib: Crib, text: str) -> None:
    """Write a policy that is old enough to be taken at the next look, and make the look due."""
    path = crib.config.policy / "policy.csv"
    path.write_text(text + "\n")
    for one in crib.config.policy.glob("*.c*"):
        os.utime(one, (time.time() - 60, time.time() - 60))
    crib.policy_source._next = 0.0


def admin(crib: Crib) -> list[str]:
    records = read(crib.config.state / "audit")
    return [r["action"] for r in records if str(r.get("action", "")).startswith("policy.")]


def test_a_change_is_recorded_kept_and_decides(crib: Crib) -> None:
    who = crib.principal("a", "alice")
    assert crib.call_sync("order", {"item": "1"}, who).status == "done"
    change(crib, f"{ALLOW}\n{DENY}")
    assert crib.call_sync("order", {"item": "2"}, who).status == "denied"
    assert admin(crib) == ["policy.loaded"]
    assert [one.revision for one in crib.policy_history.entries()][-1] == crib.policy().revision


def test_a_change_that_does_not_load_is_an_alert_and_changes_nothing(crib: Crib) -> None:
    who = crib.principal("a", "alice")
    before = crib.policy().revision
    change(crib, "p, half a ro")
    with pytest.warns(ToolcribWarning, match="The policy in force stays at revision"):
        assert crib.call_sync("order", {"item": "1"}, who).status == "done"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert crib.policy().revision == before, "told once"
    assert admin(crib) == ["policy.failed"]
    assert "policy.csv:1" in crib.policy_source.alert


def test_a_change_that_its_own_tests_refute_is_not_taken(crib: Crib) -> None:
    before = crib.policy().revision
    (crib.config.policy / "tests").mkdir()
    (crib.config.policy / "tests" / "broken.yaml").write_text("no table at all")
    change(crib, f"{ALLOW}\np, *, acme, local.order, read, True, allow")
    with pytest.warns(ToolcribWarning, match=r"is not taken: .*broken\.yaml"):
        assert crib.policy().revision == before
    (crib.config.policy / "tests" / "broken.yaml").unlink()
    crib.reload()
    assert crib.policy().revision != before
    assert crib.policy_source.alert == ""


PROPERTY = '[[property]]\nname = "Mallory orders nothing"\nnever_allowed = { to = ["user:mallory"] }\n'
MALLORY = "p, user:mallory, acme, local.order, *, True, deny"


def test_a_change_that_violates_a_property_is_not_taken(tmp_path: Path) -> None:
    with make_crib(tmp_path, f"{ALLOW}\n{MALLORY}") as crib:
        crib.add(order)
        who, before = crib.principal("a", "mallory"), crib.policy().revision
        (crib.config.policy / "properties.toml").write_text(PROPERTY)
        change(crib, ALLOW)
        with pytest.warns(ToolcribWarning, match=r"properties\.toml: 'Mallory orders nothing' is violated"):
            assert crib.call_sync("order", {"item": "1"}, who).status == "denied"
        assert crib.policy().revision == before
        assert admin(crib)[-1] == "policy.failed"
        assert "policy.csv:1" in crib.policy_source.alert, "the rows that let her"
        change(crib, f"{ALLOW}\n{MALLORY}\n{DENY}")
        assert crib.policy().revision != before, "its twin, where the property holds, is taken"
        assert crib.policy_source.alert == ""


@pytest.mark.parametrize("text", ["no toml [", "", None], ids=["broken", "empty", "dangling link"])
def test_properties_that_cannot_be_read_let_nothing_through(crib: Crib, text: str | None) -> None:
    before, file = crib.policy().revision, crib.config.policy / "properties.toml"
    if text is None:
        file.symlink_to("nowhere.toml")
    else:
        file.write_text(text)
    change(crib, f"{ALLOW}\n{DENY}")
    with pytest.warns(ToolcribWarning, match=r"is not taken: .*properties\.toml"):
        assert crib.policy().revision == before
    file.unlink()
    crib.reload()
    assert crib.policy().revision != before


def test_a_crib_without_its_table_refuses_calls_and_says_why(tmp_path: Path) -> None:
    config = '[policy]\nurl = "sqlite+aiosqlite:///none.db"\n'
    with make_crib(tmp_path, ALLOW, config=config) as crib:
        (tmp_path / "policies" / "policy.csv").unlink()
        result = crib.call_sync("order", {"item": "1"}, crib.principal("a", "alice"))
    assert result.status == "unavailable"
    assert "none.db cannot be used: No such file" in result.text
