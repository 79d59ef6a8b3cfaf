"""`toolcrib policy replay` and `toolcrib policy shadow`, on a crib with a log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from toolcrib.cli._main import cli
from toolcrib.testing.cribs import write_crib

ALLOW = "p, *, acme, local.*, *, True, allow"
REVISION = "0123456789ab"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def invoke(*words: str, columns: int = 80) -> Result:
        monkeypatch.setenv("COLUMNS", str(columns))
        write_crib(tmp_path, ALLOW)
        next_folder = tmp_path / "next"
        next_folder.mkdir(exist_ok=True)
        (next_folder / "model.conf").write_text((tmp_path / "policies" / "model.conf").read_text())
        (next_folder / "policy.csv").write_text(
            f"{ALLOW}\np, *, acme, local.act, send, True, deny\n"
            "p, *, acme, local.act, write, r.ctx.args.code == 1, deny\n"
        )
        arguments = ["-c", str(tmp_path / "toolcrib.toml"), "policy", *words]
        return CliRunner().invoke(cli, arguments, catch_exceptions=True)

    return invoke


HMAC = {"hmac": "ab" * 32, "key": "0123456789abcdef"}
SENT: dict[str, Any] = {"effect": "send", "user": "bob"}


def test_what_goes_another_way_is_shown_with_counts_and_samples(run: Any, write: Any, tmp_path: Path) -> None:
    write(
        *[SENT] * 3, {"arguments": {"code": HMAC}}, {"effect": "read"}, {"decision": None, "kind": "refusal"}
    )
    found = run("replay", str(tmp_path / "next"))
    assert found.exit_code == 0, found.output
    text = found.output
    assert "3 would go another way, 1 cannot be told (the log verified)" in " ".join(text.split())
    assert "allow → deny: 3 calls" in text
    assert "local.act (send)  by writer for bob" in text
    assert "denied by policy.csv:2" in " ".join(text.split())
    assert "depends on: args.code" in text
    assert "1 record ends before policy decided" in text
    assert max(map(len, text.splitlines())) <= 80


def test_json_has_it_all(run: Any, write: Any, tmp_path: Path) -> None:
    write(SENT, {"arguments": {"code": HMAC}})
    found = json.loads(run("replay", str(tmp_path / "next"), "--json", "--no-verify").stdout)
    assert (found["verified"], found["decided"], found["changed"], found["unknown"]) == (False, 2, 1, 1)
    assert [(way["from"], way["to"], way["count"]) for way in found["ways"]] == [
        ("allow", "deny", 1),
        ("allow", "unknown", 1),
    ]
    (group,) = found["ways"][0]["groups"]
    assert (group["tool"], group["users"], group["samples"][0]["user"]) == ("local.act", ["bob"], "bob")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("next", "--strict"), 1),
        (("next", "--strict", "--tool", "local.other"), 0),
        (("policies", "--strict"), 0),
        (("next", "--since", "soon"), 2),
        (("next", "--since", "7d"), 0),
        (("next", "--since", "2020-01-01", "--until", "2100-01-01T00:00"), 0),
        (("nowhere",), 2),
    ],
)
def test_exit_codes(run: Any, write: Any, tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    write(SENT)
    run("shadow")  # writes the folders
    assert run("replay", str(tmp_path / words[0]), *words[1:]).exit_code == code


def test_nothing_to_replay_says_so(run: Any, write: Any, tmp_path: Path) -> None:
    write(SENT)
    assert "No call on the log" in run("replay", str(tmp_path / "next"), "--user", "carol").output


def test_what_an_agent_wrote_cannot_steer_the_terminal(run: Any, write: Any, tmp_path: Path) -> None:
    write({**SENT, "user": "b", "call": "\x1b[2J", "tool": "local.act"})
    assert "\x1b" not in run("replay", str(tmp_path / "next")).output


# --- shadow -----------------------------------------------------------------------------------------------


def told(**more: Any) -> dict[str, Any]:
    return {"shadow": {"revision": REVISION, **more}}


DENIED = told(decision="deny", rows=["policy.csv:2 (p, *, acme, local.act, send, True, deny)"])


def test_differences_of_the_shadow_are_summarised(run: Any, write: Any) -> None:
    write({**SENT, **DENIED}, told(), told(decision="unknown", missing=["labels"]), {})
    found = run("shadow")
    assert found.exit_code == 0, found.output
    assert f"Shadow revision {REVISION} differs on 1 of 3 calls, 1 unknown." in found.output
    assert "allow → deny: 1 call" in found.output
    assert "depends on: labels" in found.output


def test_the_last_revision_is_shown_unless_another_is_asked_for(run: Any, write: Any) -> None:
    write(DENIED, {"shadow": {"revision": "ffff"}}, {"shadow": {"revision": "ffff"}})
    found = json.loads(run("shadow", "--json").stdout)
    assert (found["revision"], found["decided"], found["same"]) == ("ffff", 2, 2)
    assert found["revisions"] == {REVISION: 1, "ffff": 2}
    assert json.loads(run("shadow", "--json", "--revision", REVISION).stdout)["changed"] == 1
    assert "Revisions on the log" in run("shadow").output


def test_a_review_by_others_names_both(run: Any, write: Any) -> None:
    row = "policy.csv:2 (p2, *, acme, local.act, send, True, {})"
    write(
        {
            "decision": "review",
            "rows": [row.format("requester")],
            **told(decision="review", rows=[row.format("lead")]),
        }
    )
    assert "approvers: requester → lead" in run("shadow").output


def test_without_comparisons_it_says_what_to_do_and_what_failed(run: Any, write: Any) -> None:
    write({}, {"kind": "admin", "action": "shadow.failed", "detail": "policy.csv:1: no", "decision": None})
    found = run("shadow", "--strict")
    assert found.exit_code == 1
    assert 'shadow = "policies-next"' in found.output
    assert "failed: policy.csv:1: no" in found.output
    write({**SENT, **DENIED})
    assert run("shadow", "--strict").exit_code == 1
