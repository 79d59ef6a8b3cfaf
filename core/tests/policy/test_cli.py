"""`toolcrib policy`, against real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from toolcrib.cli.policy import policy
from toolcrib.errors import ConfigError, PolicyError, UnknownTool
from toolcrib.policy._model import MODEL

ROWS = """\
p, sales, acme, crm.*, write, True, allow
p, agent:writer, acme, crm.*, write, True, allow
p, *, *, crm.*, write, has(r.ctx, "before.stage") and r.ctx.before.stage == "Closed Won", deny
p2, *, *, crm.*, write, has(r.ctx, "args.changes.amount") and r.ctx.args.changes.amount > 10, requester|lead
p3, *, *, crm.*, 20/day per user
g, user:alice, sales, acme
"""
ALICE = ("explain", "crm.set_stage", "--agent", "writer", "--user", "alice")


class Installed:
    schema: Any = None

    def __init__(self, name: str, effect: str, preview: Any) -> None:
        self.name, self.effect, self.preview = name, effect, preview
        self.labels, self.idempotent, self.pack = frozenset[str](), False, "crm"


class Desk:
    tenant = "acme"

    def __init__(self, folder: Path) -> None:
        self.policy_folder, self.opened = folder, 0
        self.tools = {
            "crm.set_stage": Installed("crm.set_stage", "write", "get"),
            "crm.get": Installed("crm.get", "read", None),
        }
        self.registry = self

    def crib(self) -> Any:
        self.opened += 1
        return self

    def get(self, name: str) -> Installed:
        if name not in self.tools:
            raise UnknownTool(f"there is no tool {name!r}")
        return self.tools[name]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "model.conf").write_text(MODEL)
    (tmp_path / "policy.csv").write_text(ROWS)
    return Desk(tmp_path)


@pytest.fixture
def run(desk: Desk) -> Any:
    def command(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(policy, arguments, obj=desk, env={"COLUMNS": "160"})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return command


# --- explain ---


def test_an_allowed_call(run: Any) -> None:
    output = run(*ALICE, "--before", "stage=Open")
    assert output.startswith("allow\n")
    assert "user:alice holds sales" in output
    assert "agent:writer holds no role" in output
    assert "policy.csv:3" in output
    assert "condition is false" in output
    assert 'read: before.stage = "Open"' in output
    assert "What would allow it" not in output


def test_a_denied_call_says_what_would_allow_it(run: Any) -> None:
    output = run("explain", "crm.set_stage", "--agent", "reader", "--user", "alice", "--before", "stage=Open")
    assert output.startswith("deny\n")
    assert "agent:reader has no allow row" in output
    assert "add: p, agent:reader, acme, crm.set_stage, write, True, allow" in output


def test_a_call_denied_by_a_row(run: Any) -> None:
    output = run(*ALICE, "--before", "stage=Closed Won")
    assert "is denied by policy.csv:3" in output
    assert "remove or narrow: policy.csv:3" in output


def test_a_reviewed_call_says_by_whom(run: Any) -> None:
    output = run(*ALICE, "--before", "stage=Open", "--arg", "changes.amount=11")
    assert output.startswith("review\n")
    assert "with the approval of requester|lead (policy.csv:4)" in output


def test_without_the_record_a_decision_is_open(run: Any) -> None:
    output = run(*ALICE)
    assert output.startswith("open: waits")
    assert "waits for the preview" in output


def test_a_tool_without_a_preview_has_no_record(run: Any) -> None:
    found = json.loads(run("explain", "crm.get", "--agent", "writer", "--json"))
    assert (found["verdict"], found["is_open"]) == ("deny", False)


def test_nobody_and_another_tenant(run: Any) -> None:
    assert "user:none has no allow row" in run("explain", "crm.set_stage", "--agent", "writer")
    assert "in tenant globex" in run(*ALICE, "--tenant", "globex")


def test_as_json(run: Any) -> None:
    found = json.loads(run(*ALICE, "--before", "stage=Open", "--arg", "changes.amount=11", "--json"))
    assert found["verdict"] == "review"
    assert [row["place"] for row in found["reviews"]] == ["policy.csv:4"]
    assert [row["place"] for row in found["quotas"]] == ["policy.csv:5"]
    assert found["inputs"]["args.changes.amount"] == 11
    assert found["roles"] == {"user:alice": ["sales"], "agent:writer": []}
    assert [one["outcome"] for one in found["considered"]][2] == "condition is false"
    assert found["remedies"] == []


READS = "p, *, *, crm.*, write, {}, {}\n"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_an_argument_that_the_question_lacks_is_wrong_usage_and_no_deny(
    run: Any, desk: Desk, more: tuple[str, ...]
) -> None:
    (desk.policy_folder / "policy.csv").write_text(ROWS + READS.format("r.ctx.args.amount > 10", "deny"))
    output = run(*ALICE, "--before", "stage=Open", *more, code=2)
    assert "the argument amount of crm.set_stage is missing" in " ".join(output.split())
    assert "policy.csv:7 reads it" in " ".join(output.split())
    assert "--arg amount=VALUE" in output
    assert run(*ALICE, "--before", "stage=Open", "--arg", "amount=5").startswith("allow\n")
    assert run(*ALICE, "--before", "stage=Open", "--arg", "amount=11").startswith("deny\n")
    assert run(*ALICE, "--before", "stage=Open", "--arg", "amount=null").startswith("deny\n"), "as a call"


def test_what_is_denied_whatever_the_argument_stays_a_deny(run: Any, desk: Desk) -> None:
    reads = READS.format("r.ctx.args.amount > 10", "deny")
    (desk.policy_folder / "policy.csv").write_text(ROWS + reads)
    assert run(*ALICE, "--before", "stage=Closed Won").startswith("deny\n"), "another row denies"
    (desk.policy_folder / "policy.csv").write_text(reads)
    assert run(*ALICE, "--before", "stage=Open").startswith("deny\n"), "no row allows"


def test_a_tool_that_is_not_installed_needs_its_effect(run: Any, desk: Desk) -> None:
    with pytest.raises(PolicyError, match="--effect"):
        run("explain", "crm.other", "--agent", "writer", "--user", "alice")
    output = run(
        "explain", "crm.other", "--agent", "writer", "--user", "alice", "--effect", "write", "--before", "a=1"
    )
    assert output.startswith("allow\n")


def test_a_named_effect_needs_no_packs_that_open(run: Any, desk: Desk, monkeypatch: Any) -> None:
    def broken() -> Any:
        raise ConfigError("there is no pack")

    monkeypatch.setattr(desk, "crib", broken)
    named = ("explain", "crm.other", "--agent", "writer", "--user", "alice", "--before", "a=1")
    output = run(*named, "--effect", "write")
    assert "The packs are left out: there is no pack" in output
    assert "\nallow\n" in output
    with pytest.raises(ConfigError):
        run(*named)


# --- what the tool itself says ---


@pytest.fixture
def update(desk: Desk) -> Installed:
    """An installed tool with a schema, for which a large amount is reviewed."""
    tool = desk.tools["crm.set_stage"]
    tool.schema = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "changes": {"type": "object"}, "limit": {"default": 20}},
        "required": ["id", "changes"],
        "additionalProperties": False,
    }
    return tool


LARGE = ("--before", "stage=Open", "--arg", "id=1")


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_misspelt_argument_is_wrong_usage_and_gets_no_answer(
    run: Any, update: Installed, more: tuple[str, ...]
) -> None:
    output = run(*ALICE, *LARGE, "--arg", "change.amount=150000", *more, code=2)
    assert "crm.set_stage has no argument 'change'" in " ".join(output.split())
    assert "Did you mean 'changes'?" in output
    assert "allow" not in output
    assert run(*ALICE, *LARGE, "--arg", "changes.amount=150000").startswith("review\n"), "rightly spelt"
    assert run(*ALICE, *LARGE, "--arg", "changes.amount=5").startswith("allow\n")


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"id": {}}, "additionalProperties": True},
        {"properties": {"id": {}}, "patternProperties": {"^x": {}}},
        {"properties": {}},
        None,
    ],
)
def test_a_tool_that_may_take_any_argument_is_asked_about_any(
    run: Any, update: Installed, schema: Any
) -> None:
    update.schema = schema
    assert run(*ALICE, *LARGE, "--arg", "xtra=1").startswith("allow\n")


def test_a_tool_without_arguments_takes_none(run: Any, update: Installed) -> None:
    update.schema = {"properties": {}, "additionalProperties": False}
    assert "There is none" in run(*ALICE, *LARGE, code=2)
    assert run(*ALICE, "--before", "stage=Open").startswith("allow\n")


def test_what_a_call_must_have_is_noted(run: Any, update: Installed) -> None:
    output = run(*ALICE, "--before", "stage=Open", "--arg", "id=1")
    assert output.startswith("allow\n"), "a decision can be asked for"
    assert "note: crm.set_stage requires changes; a call without is refused as invalid" in output
    bare = json.loads(run(*ALICE, "--before", "stage=Open", "--json"))
    assert bare["notes"][0].startswith("crm.set_stage requires id and changes")
    whole = json.loads(run(*ALICE, *LARGE, "--arg", "changes.amount=5", "--json"))
    assert whole["notes"] == []


def test_a_default_is_seen_as_in_a_call(run: Any, desk: Desk, update: Installed) -> None:
    rows = ROWS + 'p, *, *, crm.*, *, has(r.ctx, "args.limit") and r.ctx.args.limit == 20, deny\n'
    (desk.policy_folder / "policy.csv").write_text(rows)
    assert run(*ALICE, *LARGE).startswith("deny\n")
    assert run(*ALICE, *LARGE, "--arg", "limit=5").startswith("allow\n")


def test_an_installed_tool_has_its_own_effect(run: Any, update: Installed) -> None:
    output = run(*ALICE, *LARGE, "--effect", "read", code=2)
    assert "its effect is write, not read" in " ".join(output.split())
    assert run(*ALICE, *LARGE, "--effect", "write").startswith("allow\n")


def test_a_tool_without_a_preview_has_no_before(run: Any, update: Installed) -> None:
    update.preview = None
    assert "has no preview" in run(*ALICE, *LARGE, code=2)
    assert run(*ALICE, "--arg", "id=1").startswith("allow\n"), "and waits for none"


def test_a_label_of_the_session(run: Any, desk: Desk) -> None:
    (desk.policy_folder / "policy.csv").write_text(
        ROWS + 'p, *, *, *, *, "untrusted" in r.ctx.labels, deny\n'
    )
    assert run(*ALICE, "--before", "stage=Open", "--label", "untrusted").startswith("deny")
    assert run(*ALICE, "--before", "stage=Open", "--label", "other").startswith("allow")


@pytest.mark.parametrize("text", ["amount", "=5"])
def test_an_argument_needs_a_name_and_a_value(run: Any, text: str) -> None:
    assert "is not NAME=VALUE" in run(*ALICE, "--arg", text, code=2)


def test_an_argument_cannot_be_value_and_record_at_once(run: Any) -> None:
    assert "is a value already" in run(*ALICE, "--arg", "a=1", "--arg", "a.b=1", code=2)


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=5", 5), ("a=x", "x"), ("a=true", True), ('a="5"', "5"), ("a=[1, 2]", [1, 2]), ("a=b=c", "b=c")],
)
def test_values_are_json_where_they_can_be(run: Any, desk: Desk, text: str, value: Any) -> None:
    rows = ROWS + "p, *, *, *, *, r.ctx.args.a == 0, deny\n"
    (desk.policy_folder / "policy.csv").write_text(rows)
    found = json.loads(run(*ALICE, "--before", "stage=Open", "--arg", text, "--json"))
    assert found["inputs"]["args.a"] == value


def test_what_an_agent_wrote_cannot_move_the_cursor(run: Any) -> None:
    assert "\x1b" not in run(*ALICE, "--before", "stage=\x1b[2J")


def test_a_row_for_both_subjects_is_shown_once(run: Any) -> None:
    assert run(*ALICE, "--before", "stage=Open").count("20/day per user") == 1
