"""`toolcrib policy test`, with a real desk and real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from toolcrib.cli._main import cli
from toolcrib.errors import PolicyError
from toolcrib.policy import MODEL

CONFIG = '[crib]\ntenant = "acme"\n[packs]\ntrust = "locked"\n[policy]\npath = "policies"\n'
ROWS = """\
# Who may what.
g, user:alice, sales, acme
p, sales, acme, crm.*, *, True, allow
p, agent:writer, acme, crm.*, *, True, allow
p, *, *, crm.drop, *, r.ctx.user != "root", deny
"""
TABLE = """\
tenant: acme
cases:
  - name: the writer reads
    user: alice
    agent: writer
    tool: crm.get
    effect: read
    expect: allow
"""
WRONG = """\
  - name: nobody <drops> & runs
    user: alice
    agent: writer
    tool: crm.drop
    effect: destructive
    expect: allow
"""


@pytest.fixture
def crib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toolcrib.toml").write_text(CONFIG)
    (tmp_path / "policies/tests").mkdir(parents=True)
    (tmp_path / "policies/model.conf").write_text(MODEL)
    (tmp_path / "policies/policy.csv").write_text(ROWS)
    (tmp_path / "policies/tests/sales.yaml").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["policy", "test", *arguments], env={"COLUMNS": "80"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def add(crib: Path, text: str, name: str = "sales.yaml") -> None:
    with (crib / "policies/tests" / name).open("a") as file:
        file.write(text)


def test_tables_that_pass(crib: Path) -> None:
    output = run()
    assert output.startswith("1 passed (1 table, revision ")
    assert output.endswith("66.6 % of the rows exercised (2 of 3)\n")


def test_a_failed_case_says_expected_got_and_why(crib: Path) -> None:
    add(crib, WRONG)
    lines = run(code=1).splitlines()
    assert lines[0] == "policies/tests/sales.yaml:9: nobody <drops> & runs"
    assert lines[1] == "    expected: allow"
    assert lines[2].startswith("    got:      deny by policy.csv:5 (p, *, *, crm.drop, *, r.ctx.user")
    assert lines[3] == "    why:      crm.drop (destructive) in tenant acme is denied by policy.csv:5"
    assert lines[4] == "    ✓ policy.csv:3 (p, sales, acme, crm.*, *, True, allow): matches"
    assert "1 passed, 1 failed (1 table" in "\n".join(lines)


def test_a_table_with_a_mistake(crib: Path) -> None:
    add(crib, "  - {name: x, agent: writer, tool: crm.get, effect: read, expct: deny}\n")
    lines = run(code=1).splitlines()
    assert lines[0] == "policies/tests/sales.yaml:9: unknown key 'expct'"
    assert lines[2] == "    remedy: Did you mean 'expect'?"
    assert "1 passed, 1 could not be run (1 table" in lines[3]


def test_rows_that_no_case_exercises(crib: Path) -> None:
    line = "policies/policy.csv:5: no case exercises p, *, *, crm.drop, *"
    assert line in run("--coverage")
    assert line not in run()


@pytest.mark.parametrize(("percent", "code"), [("66", 0), ("66.7", 1), ("100", 1), ("0", 0)])
def test_too_few_rows_exercised(crib: Path, percent: str, code: int) -> None:
    output = run("--fail-under", percent, code=code)
    assert ("wanted" in output) == bool(code)


def test_all_rows_exercised(crib: Path) -> None:
    add(crib, WRONG.replace("expect: allow", "expect: deny"))
    assert "100 % of the rows exercised (3 of 3)" in run("--fail-under", "100")


@pytest.mark.parametrize("wrong", ["101", "-1", "most"])
def test_no_percentage(crib: Path, wrong: str) -> None:
    run("--fail-under", wrong, code=2)


def test_some_tables_or_a_folder_of_them(crib: Path) -> None:
    add(crib, TABLE + WRONG, "other.yaml")
    run("policies/tests/sales.yaml")
    assert "2 tables" in run("policies/tests", code=1)
    run("policies/tests/other.yaml", code=1)


def test_a_policy_elsewhere_needs_no_config(crib: Path) -> None:
    (crib / "toolcrib.toml").unlink()
    assert "1 passed" in run("--policy", "policies")
    assert "1 passed" in run("--policy", "policies", "policies/tests/sales.yaml")


def test_without_tables_it_does_not_pass(crib: Path) -> None:
    (crib / "policies/tests/sales.yaml").unlink()
    with pytest.raises(PolicyError, match=r"there is no table in policies/tests"):
        run()
    with pytest.raises(PolicyError, match="nowhere"):
        run("nowhere")


def test_a_table_that_is_not_there(crib: Path) -> None:
    assert "nowhere.yaml: it cannot be read" in run("nowhere.yaml", code=1)


def test_a_policy_that_does_not_load(crib: Path) -> None:
    (crib / "policies/policy.csv").write_text("nonsense\n")
    with pytest.raises(PolicyError, match=r"policy\.csv:1"):
        run()


def test_tools_from_a_list(crib: Path) -> None:
    (crib / "tools.json").write_text('[{"name": "crm.get", "effect": "read"}]')
    file = crib / "policies/tests/sales.yaml"
    file.write_text(TABLE.replace("    effect: read\n", ""))
    assert "no tool 'crm.get' is installed or stated" in run(code=1)
    assert "1 passed" in run("--tools", "tools.json")


def test_as_json(crib: Path) -> None:
    add(crib, WRONG)
    found = json.loads(run("--json", code=1))
    assert (found["passed"], found["problems"], len(found["revision"])) == (False, [], 12)
    first, second = found["results"]
    assert first == {
        "name": "the writer reads",
        "file": "policies/tests/sales.yaml",
        "line": 3,
        "passed": True,
        "rows": [
            {
                "place": "policy.csv:3",
                "kind": "p",
                "values": ["sales", "acme", "crm.*", "*", "True", "allow"],
            },
            {
                "place": "policy.csv:4",
                "kind": "p",
                "values": ["agent:writer", "acme", "crm.*", "*", "True", "allow"],
            },
        ],
    }
    assert (second["passed"], second["expected"]) == (False, "allow")
    assert second["why"] == "crm.drop (destructive) in tenant acme is denied by policy.csv:5"
    assert found["coverage"] == {"percent": 100.0, "missed": []}


# --- JUnit ---


def xml(text: str | bytes) -> Any:
    return ElementTree.fromstring(text)


def test_junit_into_a_file(crib: Path) -> None:
    add(crib, WRONG)
    add(crib, TABLE.replace("expect:", "expct:"), "other.yaml")
    assert "1 failed" in run("--junit", "out.xml", code=1)
    root = xml((crib / "out.xml").read_bytes())
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    other, sales = root.findall("testsuite")
    assert (sales.get("name"), sales.get("tests")) == ("policies/tests/sales.yaml", "2")
    passed, failed = sales.findall("testcase")
    assert (passed.get("name"), len(passed)) == ("the writer reads", 0)
    assert failed.get("line") == "9"
    failure = failed.find("failure")
    assert failed.get("name") == "nobody <drops> & runs"
    assert failure.get("message").startswith("expected allow; got deny by policy.csv:5")
    assert "why       crm.drop (destructive)" in failure.text
    error = other.find("testcase").find("error")
    assert "Did you mean 'expect'?" in error.text


def test_junit_on_stdout_is_nothing_else(crib: Path) -> None:
    assert xml(run("--junit", "-").encode()).get("failures") == "0"


def test_a_case_that_cannot_run_keeps_its_name_in_junit(crib: Path) -> None:
    add(crib, "  - {name: mine, agent: writer, tool: crm.get, effect: raed, expect: deny}\n")
    add(crib, "  - {agent: writer, tool: crm.get, effect: read, expect: deny}\n  - nothing\n", "other.yaml")
    root = xml(run("--junit", "-", code=1).encode())
    named = [case.get("name") for case in root.iter("testcase") if case.find("error") is not None]
    assert named[-1] == "mine"
    assert all(one.startswith("line ") for one in named[:-1])
    found = json.loads(run("--json", code=1))
    assert [one["case"] for one in found["problems"]][-1] == "mine"


def test_two_cases_of_one_name_are_told_apart_in_junit(crib: Path) -> None:
    twin = "  - {name: mine, agent: writer, tool: crm.drop, effect: destructive, expect: deny}\n"
    add(crib, twin * 2)
    names = [case.get("name") for case in xml(run("--junit", "-", code=1).encode()).iter("testcase")]
    assert len(names) == len(set(names))
    assert any(name.startswith("mine (line ") for name in names)


def test_a_coverage_that_is_missed_is_a_failure_in_junit(crib: Path) -> None:
    root = xml(run("--junit", "-", "--fail-under", "100", code=1).encode())
    suite = root.findall("testsuite")[-1]
    assert (suite.get("name"), suite.get("failures"), root.get("failures")) == ("coverage", "1", "1")
    (case,) = suite
    assert case.get("name") == "coverage"
    assert "wanted 100 %" in case.find("failure").get("message")
    assert "no case exercises policy.csv:" in case.find("failure").text
    assert int(root.get("tests")) == len(list(root.iter("testcase")))


def test_a_coverage_that_is_met_passes_in_junit(crib: Path) -> None:
    root = xml(run("--junit", "-", "--fail-under", "1").encode())
    assert root.get("failures") == "0"
    assert [len(case) for case in root.findall("testsuite")[-1]] == [0]
    names = [case.get("name") for case in xml(run("--junit", "-").encode()).iter("testcase")]
    assert "coverage" not in names, "only where it is asked for"


def test_junit_holds_what_xml_cannot(crib: Path) -> None:
    add(crib, '  - {name: "c\\x01d", agent: writer, tool: crm.get, effect: read, expect: deny}\n')
    assert xml(run("--junit", "-").encode()).find("testsuite")[1].get("name") == "c\ufffdd"


def test_a_junit_file_that_cannot_be_written(crib: Path) -> None:
    run("--junit", "nowhere/out.xml", code=1)


def test_what_a_table_says_cannot_move_the_cursor(crib: Path) -> None:
    add(crib, '  - {name: "a\\e[2Jb", agent: writer, tool: crm.get, effect: read, expect: allow}\n')
    assert "\x1b" not in run(code=1)


def test_the_reference_names_every_key() -> None:
    from toolcrib.bench._cases import CASE_KEYS, TABLE_KEYS, TOOL_KEYS

    page = (Path(__file__).parents[4] / "docs/reference/policy-test.md").read_text()
    for key in (*CASE_KEYS, *TABLE_KEYS, *TOOL_KEYS):
        assert f"`{key}`" in page, key
