"""`toolcrib policy check`, on real files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolcrib.cli._main import cli
from toolcrib.errors import PolicyError
from toolcrib.testing.cribs import write_crib

GOOD = "p, *, acme, crm.*, *, True, allow\np2, *, acme, crm.*, destructive, True, lead"
BAD = "p, *, acme, crm.*, *, True, allow\np2, *, acme, crm.*, destructive, True, requester"
FILE = """
[[property]]
name = "Everything destructive is reviewed by somebody else"
always_reviewed = true

[[property]]
name = "Nobody of the interns deletes"
never_allowed = { to = ["interns"], effects = ["destructive"] }

[tools]
"crm.delete_record" = { effect = "destructive" }
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def invoke(rows: str, *words: str, file: str | None = FILE) -> Result:
        monkeypatch.setenv("COLUMNS", "80")
        write_crib(tmp_path, rows)
        if file is not None:
            (tmp_path / "policies" / "properties.toml").write_text(file)
        arguments = ["-c", str(tmp_path / "toolcrib.toml"), "policy", "check", *words]
        return CliRunner().invoke(cli, arguments, catch_exceptions=True)

    return invoke


def test_what_holds_is_marked_and_the_exit_code_is_0(run: Callable[..., Result]) -> None:
    found = run(GOOD)
    assert found.exit_code == 0, found.output
    assert "✓ Everything destructive is reviewed" in found.output
    assert "note: no row names the role interns" in found.output
    assert "2 hold: revision" in found.output


def test_what_does_not_hold_has_a_witness_and_a_call_to_try(run: Callable[..., Result]) -> None:
    found = run(BAD)
    assert found.exit_code == 1
    assert "✕ Everything destructive is reviewed" in found.output
    assert "policy.csv:1 (p, *, acme, crm.*, *, True, allow)" in found.output
    assert "1 of 2 violated" in found.output
    command = next(line for line in found.output.splitlines() if "try: " in line).partition("try: ")[2]
    words = command.removeprefix("toolcrib policy ").split()
    assert words[:4] == ["explain", "crm.delete_record", "--effect", "destructive"]


def test_the_command_of_a_witness_runs_and_agrees(run: Callable[..., Result], tmp_path: Path) -> None:
    (one, _) = json.loads(run(BAD, "--json").stdout)["properties"]
    words = one["witnesses"][0]["command"].split()[1:]
    explained = CliRunner().invoke(cli, ["-c", str(tmp_path / "toolcrib.toml"), *words])
    assert explained.exit_code == 0, explained.output
    assert explained.output.startswith("review")


def test_json_names_everything(run: Callable[..., Result]) -> None:
    found = run(BAD, "--json")
    assert found.exit_code == 1
    told = json.loads(found.stdout)
    assert (told["holds"], told["tools"], told["tenants"]) == (False, 1, ["acme"])
    assert [one["holds"] for one in told["properties"]] == [False, True]
    assert told["properties"][0]["kind"] == "always_reviewed"
    assert told["properties"][0]["witnesses"][0]["tools"] == ["crm.delete_record"]


def test_another_folder_file_and_list_of_tools(run: Callable[..., Result], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write_crib(tmp_path, GOOD)
    (other / "model.conf").write_text((tmp_path / "policies" / "model.conf").read_text())
    (other / "policy.csv").write_text(BAD)
    (other / "mine.toml").write_text(FILE.partition("[tools]")[0])
    tools = tmp_path / "tools.json"
    tools.write_text('[{"name": "crm.delete_record", "effect": "destructive"}]')
    words = [str(other / "mine.toml"), "--policy", str(other), "--tools", str(tools)]
    assert run(GOOD, *words).exit_code == 1
    assert run(GOOD, str(other / "mine.toml"), "--tools", str(tools)).exit_code == 0


def test_no_file_is_an_error_with_a_remedy(run: Callable[..., Result]) -> None:
    found = run(GOOD, file=None)
    assert isinstance(found.exception, PolicyError)
    assert "properties.toml" in str(found.exception)
    assert "properties are a TOML file" in (found.exception.rule or "")


def test_a_file_that_is_not_there_is_told_of_as_what_it_would_be(run: Callable[..., Result]) -> None:
    found = run(GOOD, "nosuch.toml")
    assert isinstance(found.exception, PolicyError)
    assert "nosuch.toml: cannot be read" in str(found.exception)
    assert "properties are a TOML file" in (found.exception.rule or "")
    assert "model.conf" not in str(found.exception)
    listed = run(GOOD, "--tools", "nosuch.json")
    assert isinstance(listed.exception, PolicyError)
    assert "a list of tools is JSON" in (listed.exception.rule or "")


def test_a_tenant_that_no_row_names_is_told_of_and_no_other_is(run: Callable[..., Result]) -> None:
    file = '[[property]]\nname = "it"\nalways_reviewed = { by = ["boss"] }\ntenants = ["nix"]\n'
    found = run("p, lead, acme, crm.*, *, True, allow", file=file)
    assert "note: no row names the tenant nix" in found.output
    assert "note: no row names the role boss" in found.output
    assert found.output.rstrip().endswith(", nix.")


def test_without_a_crib_the_folder_is_enough(tmp_path: Path, run: Callable[..., Result]) -> None:
    run(BAD)
    (tmp_path / "toolcrib.toml").unlink()
    words = ["-c", str(tmp_path / "toolcrib.toml"), "policy", "check", "--policy", str(tmp_path / "policies")]
    assert CliRunner().invoke(cli, words).exit_code == 1
