"""`toolcrib policy lint`, with a real desk and real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from toolcrib.bench.lint import RULES
from toolcrib.cli._main import cli
from toolcrib.errors import ConfigError, PolicyError
from toolcrib.policy import MODEL

ROWS = """\
# Who may what.
g, user:alice, sales, acme
g, agent:writer, writing, acme
p, sales, acme, crm.*, *, True, allow
p, writing, acme, crm.*, *, True, allow
"""
WARNS = "p, admin, acme, erp.*, read, True, allow\n"
NOTES = "p, sales, acme, crm.get, read, True, allow\n"
FAILS = "p, *, *, crm*, *, True, allow\np, *, *, *, *, true, Allow\n"
CONFIG = '[crib]\ntenant = "acme"\n[packs]\ntrust = "locked"\n[policy]\npath = "policies"\n'


@pytest.fixture
def crib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toolcrib.toml").write_text(CONFIG)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/model.conf").write_text(MODEL)
    (tmp_path / "policies/policy.csv").write_text(ROWS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["policy", "lint", *arguments], env={"COLUMNS": "80"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def add(crib: Path, rows: str) -> None:
    with (crib / "policies/policy.csv").open("a") as file:
        file.write(rows)


def tools(crib: Path, *given: dict[str, Any]) -> tuple[str, str]:
    (crib / "tools.json").write_text(json.dumps(given or [{"name": "crm.get", "effect": "read"}]))
    return "--tools", "tools.json"


def test_a_good_policy(crib: Path) -> None:
    assert run(*tools(crib)).startswith("4 rows, no problems. Revision ")


def test_without_packs_it_says_so(crib: Path) -> None:
    output = run()
    assert "policies/policy.csv: note TC600 no tools are known" in output
    assert "4 rows, 1 note. Revision " in output


def test_every_finding_has_place_id_rule_and_remedy(crib: Path) -> None:
    add(crib, FAILS)
    output = run(*tools(crib), code=1)
    assert "policies/policy.csv:6:10: error TC109 object 'crm*'" in output
    assert "policies/policy.csv:7:16: error TC203 unknown name 'true'" in output
    assert "    rule:   a condition reads r.ctx only" in output
    assert "    remedy: Write True" in output
    assert output.endswith("2 errors; the policy does not load.\n")


SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "limit": {"type": "integer", "default": 10}},
    "required": ["id"],
}
READS = "p, *, acme, crm.get, read, r.ctx.args.{} {}, deny\n"


@pytest.mark.parametrize(
    ("more", "argument", "found"),
    [
        ({"schema": SCHEMA}, ("amount", "> 5"), True),
        ({"schema": SCHEMA}, ("id", "== '7'"), False),
        ({"schema": SCHEMA}, ("limit", "> 5"), False),
        ({"schema": SCHEMA, "fills_defaults": False}, ("limit", "> 5"), True),
        ({}, ("amount", "> 5"), False),
        ({"schema": None}, ("amount", "> 5"), False),
    ],
)
def test_a_list_with_schemas_is_enough_to_find_unguarded_arguments(
    crib: Path, more: dict[str, Any], argument: tuple[str, str], found: bool
) -> None:
    add(crib, READS.format(*argument))
    listed = tools(crib, {"name": "crm.get", "effect": "read", **more})
    output = run(*listed, code=int(found))
    assert ("TC603" in output) is found


@pytest.mark.parametrize(
    ("more", "found"), [({"preview": False}, True), ({"preview": True}, False), ({}, False)]
)
def test_a_list_tells_which_tools_have_a_preview(crib: Path, more: dict[str, Any], found: bool) -> None:
    add(crib, "p, *, acme, crm.get, read, r.ctx.before.stage == 'Won', deny\n")
    output = run(*tools(crib, {"name": "crm.get", "effect": "read", **more}), code=int(found))
    assert ("TC604" in output) is found
    if found:
        assert "crm.get has no preview" in output


@pytest.mark.parametrize("preview", ["yes", 1, {}, "get"])
def test_what_is_no_answer_about_a_preview_is_refused(crib: Path, preview: Any) -> None:
    with pytest.raises(PolicyError, match=r"the preview of crm\.get is not true or false"):
        run(*tools(crib, {"name": "crm.get", "effect": "read", "preview": preview}))


def test_a_schema_of_a_list_fetches_nothing(crib: Path) -> None:
    far = {"$schema": "http://127.0.0.1:9/dialect", "properties": {"id": {"$ref": "http://127.0.0.1:9/id"}}}
    add(crib, READS.format("amount", "> 5"))
    assert "TC603" in run(*tools(crib, {"name": "crm.get", "effect": "read", "schema": far}), code=1)


def test_a_list_tells_nothing_of_sandboxes(crib: Path) -> None:
    add(crib, "p, *, acme, crm.get, read, r.ctx.sandbox.memory > 512, deny\n")
    assert "TC606" not in run(*tools(crib, {"name": "crm.get", "effect": "read", "schema": SCHEMA}))


@pytest.mark.parametrize("schema", [[], "text", {"type": 7}, {"properties": None}, True])
def test_what_is_no_schema_is_refused(crib: Path, schema: Any) -> None:
    with pytest.raises(PolicyError, match="not a list of tools"):
        run(*tools(crib, {"name": "crm.get", "effect": "read", "schema": schema}))


@pytest.mark.parametrize(
    ("rows", "fail_on", "code"),
    [
        (WARNS, "error", 0),
        (WARNS, "warning", 1),
        (WARNS, "note", 1),
        (NOTES, "warning", 0),
        (NOTES, "note", 1),
        ("", "note", 0),
        (FAILS, "error", 1),
    ],
)
def test_what_fails_is_yours_to_say(crib: Path, rows: str, fail_on: str, code: int) -> None:
    add(crib, rows)
    given = tools(crib, {"name": "crm.get", "effect": "read"}, {"name": "erp.get", "effect": "read"})
    run(*given, "--fail-on", fail_on, code=code)


def test_a_wrong_use_is_another_exit_code(crib: Path) -> None:
    run("--fail-on", "everything", code=2)


def test_as_json(crib: Path) -> None:
    add(crib, WARNS)
    found = json.loads(run("--json"))
    assert found["counts"] == {"error": 0, "warning": 1, "note": 1}
    assert (found["rows"], len(found["revisions"][0])) == (5, 12)
    assert found["findings"][1] == {
        "id": "TC401",
        "severity": "warning",
        "file": "policies/policy.csv",
        "line": 6,
        "column": 4,
        "what": "nobody holds the role 'admin' in tenant acme",
        "rule": RULES["TC401"].rule,
        "remedy": "Give it to somebody (g, user:ID, admin, acme), or remove the row",
    }
    add(crib, FAILS)
    assert json.loads(run("--json", code=1))["revisions"] == [None]


def test_a_folder_or_its_files_need_no_config(crib: Path) -> None:
    (crib / "toolcrib.toml").unlink()
    assert "policies/policy.csv: note TC600" in run("policies")
    both = run("policies/policy.csv", "policies/model.conf")
    assert both.count("TC600") == 1
    with pytest.raises(ConfigError):
        run()


def test_several_folders(crib: Path) -> None:
    (crib / "other").mkdir()
    (crib / "other/model.conf").write_text(MODEL)
    (crib / "other/policy.csv").write_text("nonsense\n")
    output = run("policies", "other/policy.csv", code=1)
    assert "other/policy.csv:1:1: error TC101" in output
    assert "1 policies do not load" in output


def test_a_missing_folder_is_a_finding(crib: Path) -> None:
    assert "nowhere/model.conf: error TC100 cannot be read" in run("nowhere", code=1)


# --- SARIF ---


def check_sarif(document: Any) -> list[Any]:
    """What SARIF 2.1.0 requires, as far as this uses it (OASIS sarif-v2.1.0-os, sections 3.13 to 3.49)."""
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-2.1.0.json")
    (found,) = document["runs"]
    driver = found["tool"]["driver"]
    assert driver["name"]
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
    assert found["columnKind"] in ("unicodeCodePoints", "utf16CodeUnits")
    for result in found["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert region["startLine"] >= 1
        assert region["startColumn"] >= 1
        assert "\\" not in location["physicalLocation"]["artifactLocation"]["uri"]
    return list(found["results"])


def test_sarif_into_a_file(crib: Path) -> None:
    add(crib, WARNS)
    assert "TC401" in run("--sarif", "lint.sarif")
    results = check_sarif(json.loads((crib / "lint.sarif").read_text()))
    assert [one["ruleId"] for one in results] == ["TC600", "TC401"]
    place = results[1]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "policies/policy.csv", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 6, "startColumn": 4},
    }
    assert results[1]["message"]["text"].startswith("Nobody holds the role 'admin' in tenant acme. ")


def test_sarif_on_stdout_is_nothing_else(crib: Path) -> None:
    add(crib, FAILS)
    results = check_sarif(json.loads(run("--sarif", "-", code=1)))
    assert [one["level"] for one in results] == ["error", "error"]


def test_sarif_of_a_good_policy_has_no_results(crib: Path) -> None:
    assert check_sarif(json.loads(run("--sarif", "-", *tools(crib)))) == []


def test_a_finding_keeps_its_fingerprint_when_rows_move(crib: Path) -> None:
    add(crib, WARNS)
    before = check_sarif(json.loads(run("--sarif", "-")))
    file = crib / "policies/policy.csv"
    file.write_text("# another line\n" + file.read_text())
    after = check_sarif(json.loads(run("--sarif", "-")))
    assert before != after
    prints = [[one["partialFingerprints"] for one in found] for found in (before, after)]
    assert prints[0] == prints[1]


def test_sarif_of_files_elsewhere_and_with_odd_names(crib: Path) -> None:
    odd = crib / "odd name"
    odd.mkdir()
    (odd / "model.conf").write_text(MODEL)
    (odd / "policy.csv").write_text("x\n")
    for given in (str(odd), "odd name"):
        (result,) = check_sarif(json.loads(run(given, "--sarif", "-", code=1)))
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.endswith("odd%20name/policy.csv")
        assert uri.startswith("file://") == (given != "odd name")


def test_a_sarif_file_that_cannot_be_written(crib: Path) -> None:
    run("--sarif", "nowhere/lint.sarif", code=1)


# --- around the command ---


def test_the_hook_for_pre_commit_runs_this_command() -> None:
    import yaml

    (hook,) = yaml.safe_load((Path(__file__).parents[4] / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "toolcrib policy lint"
    assert {"id", "name", "language", "files"} <= set(hook)
    import re

    for path, matches in (
        ("policies/policy.csv", True),
        ("policy.csv", True),
        ("a/b/model.conf", True),
        ("policies/tests/a.yaml", False),
        ("my-policy.csv.bak", False),
    ):
        assert bool(re.search(hook["files"], path)) is matches


def test_the_reference_lists_every_rule() -> None:
    page = (Path(__file__).parents[4] / "docs/reference/policy-lint.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| TC")]
    listed = {row.split("|")[1].strip(): row for row in rows}
    assert list(listed) == list(RULES)
    for rule in RULES.values():
        cells = [cell.strip() for cell in listed[rule.id].replace("\\|", "¦").split("|")[1:-1]]
        assert cells[1:3] == [rule.severity, rule.name]
        assert cells[3] == rule.rule.replace("|", "¦")
