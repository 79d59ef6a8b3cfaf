"""Tables with mistakes: each is told with its line, and the cases beside it still run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolcrib.bench import _table_files
from toolcrib.bench.tables import Report, run
from toolcrib.bench.tools import NamedTool
from toolcrib.policy import Policy, Problem

Table = Callable[..., Report]
CASE = "  - {name: a, user: alice, agent: writer, tool: crm.put, effect: write, expect: allow}\n"
GOOD = "tenant: acme\ncases:\n" + CASE


def problem(report: Report) -> Problem:
    assert not report.passed
    (found,) = report.problems
    assert found.remedy
    assert found.rule
    return found


# --- keys and values ---


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("labls: [x]", "unknown key 'labls'", "Did you mean 'labels'?"),
        ("expects: deny", "unknown key 'expects'", "Did you mean 'expect'?"),
        ("expect: Allow", "expect is 'Allow'", "Did you mean 'allow'?"),
        ("expect: maybe", "expect is 'maybe'", "There is: allow, deny, review"),
        ("expect:", "expect is None", "Fill it in, or remove the key"),
        ("expect: [allow]", "expect is ['allow']", "Fill it in, or remove the key"),
        ("user: no", "user is False", "Put it into quotes"),
        ("user: 7", "user is 7", "Put it into quotes"),
        ("user: a b", "user 'a b' is not a valid id", ""),
        ("user: none", "user 'none' is reserved for calls without a user", ""),
        ("tenant: '*'", "tenant '*' is not a valid id", ""),
        ("effect: writes", "effect is 'writes'", "Did you mean 'write'?"),
        ("arguments: [1]", "arguments is [1]", "Write {NAME: value}, or remove the key"),
        ("before: Won", "before is 'Won'", "Write {NAME: value}, or null where the tool has no preview"),
        ("labels: [1]", "labels is 1", "Put it into quotes"),
        ("labels: {a: b}", "labels is {'a': 'b'}", ""),
        ("now: noon", "now is 'noon'", 'Write "2026-03-02T10:00:00Z"'),
        ("now: 2026-03-02T10:00:00", "now is '2026-03-02T10:00:00'", 'Write "2026-03-02T10:00:00Z"'),
        ("now: 5", "now is 5", "Put it into quotes"),
        ("by: [alice]", "by with expect: allow", "Remove it, or expect: review"),
        ("not_by: alice", "not_by with expect: allow", "Remove it, or expect: review"),
        ("row:", "row is None", ""),
        (
            "agent: writer\n    agent: other",
            "the key 'agent' stands there twice (first in line 5)",
            "Remove one",
        ),
        ("arguments: {a: 1, a: 2}", "the key 'a' stands there twice (first in line 9)", "Remove one"),
        ("? [a]\n    : b", "a key that is not text", "Write NAME: value"),
        ("arguments: {b: !!python/object/apply:os.system [x]}", "it does not parse: could not determine", ""),
    ],
)
def test_a_mistake_in_a_case(table: Table, text: str, what: str, remedy: str) -> None:
    given = {"user": "alice", "agent": "writer", "tool": "crm.put", "effect": "write", "expect": "allow"}
    key = text.partition(":")[0]
    lines = [f"{name}: {value}" for name, value in given.items() if name != key or "\n" in text]
    report = table("tenant: acme\ncases:\n  - name: b\n    " + "\n    ".join([*lines, text]) + "\n" + CASE)
    found = problem(report)
    assert found.what.startswith(what)
    assert remedy in found.remedy
    assert found.line >= 3
    assert [one.passed for one in report.results] == [True], "the other case still runs"


TOOLS = [NamedTool("crm.get", "read", frozenset({"untrusted"})), NamedTool("crm.put", "write")]
WHO = "user: alice, agent: writer, tool: crm.put"
SEEN = f"tenant: acme\n%scases:\n  - {{name: a, {WHO}, expect: allow, labels: %s}}\n"


@pytest.mark.parametrize("labels", ["[untrustedd]", "untrustedd", "[untrusted, untrustedd]"])
def test_a_label_that_nothing_gives(table: Table, labels: str) -> None:
    found = problem(table(SEEN % ("", labels), TOOLS))
    assert found.what == "no tool labels what it returns 'untrustedd', and no row names it"
    assert found.remedy == "Did you mean 'untrusted'? Or state the tool that gives it, below tools:"
    assert found.line == 3


@pytest.mark.parametrize(
    ("stated", "labels"),
    [
        ("", "[untrusted]"),  # a tool gives it
        ("", "[secret]"),  # a row names it
        ("tools: {crm.more: {effect: read, labels: [mine]}}\n", "[mine, untrusted]"),
        ("", "[]"),
    ],
)
def test_a_label_that_something_gives_or_names(table: Table, stated: str, labels: str) -> None:
    assert table(SEEN % (stated, labels), TOOLS).passed


def test_where_no_tools_are_known_any_label_may_be(table: Table) -> None:
    text = SEEN.replace("tool: crm.put", "tool: crm.put, effect: write") % ("", "[anything]")
    assert table(text).passed


@pytest.mark.parametrize("key", ["name", "agent", "tool", "expect"])
def test_a_case_that_lacks_something(table: Table, key: str) -> None:
    given = {"name": "x", "agent": "writer", "tool": "crm.put", "effect": "write", "expect": "deny"}
    text = ", ".join(f"{name}: {value}" for name, value in given.items() if name != key)
    found = problem(table(GOOD + "  - {" + text + "}\n"))
    assert (found.what, found.line) == (f"the case has no {key}", 4)


def test_the_use_of_a_secret_is_a_case_of_its_own(table: Table) -> None:
    case = "cases:\n  - {name: a, agent: w, tool: %s, effect: %s, expect: deny}\n"
    assert table(case % ("secret:crm.salesforce", "use")).passed
    assert problem(table(case % ("crm.get", "use"))).what == "effect is 'use'"
    assert problem(table(case % ("secret:crm.salesforce", "read"))).what == "effect is 'read'"


def test_a_tool_without_a_known_effect(table: Table) -> None:
    text = "tools: {crm.get: read}\ncases:\n  - {name: a, agent: w, tool: crm.gets, expect: deny}\n"
    found = problem(table(text))
    assert found.what == "no tool 'crm.gets' is installed or stated"
    assert found.remedy == "Did you mean 'crm.get'? Else write effect: read|write|send|destructive"
    bare = problem(table("cases:\n  - {name: a, agent: w, tool: crm.gets, expect: deny}\n"))
    assert bare.remedy == "Write effect: read|write|send|destructive"


@pytest.mark.parametrize(
    ("tools", "what"),
    [
        ("{crm.x: reads}", "effect is 'reads'"),
        ("{crm.x: {labels: [a]}}", "crm.x has no effect"),
        ("{crm.x: {effect: read, label: a}}", "unknown key 'label'"),
        ("{crm.x: {effect: read, preview: maybe}}", "preview is 'maybe'"),
        ("[crm.x]", "tools is no mapping"),
    ],
)
def test_a_mistake_in_the_stated_tools(table: Table, tools: str, what: str) -> None:
    assert problem(table(f"tools: {tools}\ncases:\n{CASE}")).what == what


def test_two_cases_of_one_name(table: Table) -> None:
    assert problem(table(GOOD + CASE)).what == "the name 'a' stands there twice (first in line 3)"


def test_an_unknown_key_of_the_table(table: Table) -> None:
    found = problem(table("tennant: acme\n" + GOOD))
    assert (found.what, found.line, found.remedy) == ("unknown key 'tennant'", 1, "Did you mean 'tenant'?")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the table is empty"),
        ("# only a remark\n", "the table is empty"),
        ("---\n...\n", "a table is no mapping"),
        ("- a\n- b\n", "a table is no mapping"),
        ("just words", "a table is no mapping"),
        ("tenant: acme\n", "the table has no cases"),
        ("cases:\n", "the table has no cases"),
        ("cases: []\n", "the table has no cases"),
        ("cases: {a: b}\n", "the table has no cases"),
        ("cases: [a]\n", "a case is no mapping"),
        ("cases: [[a]]\n", "a case is no mapping"),
    ],
)
def test_a_table_without_cases(table: Table, text: str, what: str) -> None:
    assert problem(table(text)).what == what


# --- files ---


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("tenant: acme\ncases:\n  - {name: a, user: ali", 3),
        ("tenant: acme\ncases:\n  - name: 'a\n", 4),
        ("tenant: acme\n cases:\n", 2),
        ("a: b: c\n", 1),
        ("tenant: @acme\n", 1),
        ("cases: []\n---\ncases: []\n", 2),
    ],
)
def test_half_written_and_broken_yaml(table: Table, text: str, line: int) -> None:
    found = problem(table(text))
    assert found.what.startswith("it does not parse: ")
    assert found.line in (line, line + 1, line - 1)


def test_a_byte_order_mark_and_crlf_are_fine(table: Table) -> None:
    report = table(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert report.passed
    assert [one.line for one in report.results] == [3]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x7fELF\x02\x01\x01\0\0\0", "it contains the control character U+0000"),
        (GOOD.encode() + b"\x1b[2J", "it contains the control character U+001B"),
        (GOOD.encode() + "# Müller".encode("latin-1"), "it is not UTF-8"),
        (b"\xff\xfea\0", "it is not UTF-8"),
        (b"a: \xc2\x80\n", "it does not parse"),
    ],
)
def test_what_is_no_text(table: Table, data: bytes, what: str) -> None:
    assert problem(table(data)).what.startswith(what)


def test_a_huge_file_is_not_read(tmp_path: Path, policy: Policy) -> None:
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(2**30)
    assert problem(run(tmp_path, policy)).what == "it is larger than 8 MiB"


def test_a_file_at_the_bound_is_read(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_table_files, "MAX_BYTES", len(GOOD))
    assert table(GOOD).passed
    assert problem(table(GOOD + "#")).what.startswith("it is larger than")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "- " * 1_000_000, "{a: " * 100_000, "cases: " + "[" * 70 + "]" * 70]
)
def test_nesting_is_bounded(table: Table, text: str) -> None:
    """libyaml builds nested nodes by recursion; without the bound this ends the process."""
    assert "nests more than 64 levels deep" in problem(table(text)).what


def test_aliases_are_refused(table: Table) -> None:
    """Ten lines of them can stand for a billion values."""
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\n"
    found = problem(table(bomb))
    assert (found.what, found.line) == ("it uses the alias *a", 2)


def test_a_symbolic_link_to_itself(tmp_path: Path, policy: Policy) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    found = problem(run(tmp_path, policy))
    assert "symbolic links" in found.what
    assert found.remedy == "Remove the symbolic link"


def test_a_folder_that_links_to_itself(tmp_path: Path, policy: Policy) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert "symbolic links" in problem(run(tmp_path / "loop", policy)).what


def test_a_pipe_and_a_folder_named_like_a_table(tmp_path: Path, policy: Policy) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").mkdir()
    whats = [one.what for one in run(tmp_path, policy).problems]
    assert len(whats) == 2
    assert whats[0] == "this is not a file"


def test_a_file_that_is_not_there(tmp_path: Path, policy: Policy) -> None:
    found = problem(run([tmp_path / "nowhere.yaml"], policy))
    assert found.what == "it cannot be read: No such file or directory"


def test_a_folder_that_is_not_there_holds_no_tables(tmp_path: Path, policy: Policy) -> None:
    report = run(tmp_path / "tests", policy)
    assert (report.files, report.passed, report.results) == ([], True, [])


def test_tables_are_found_in_order_and_once(tmp_path: Path, policy: Policy) -> None:
    for name in ("b.yaml", "a.yml", "notes.txt", ".hidden.yaml"):
        (tmp_path / name).write_text(GOOD)
    report = run([tmp_path, tmp_path / "b.yaml"], policy)
    assert [Path(file).name for file in report.files] == ["a.yml", "b.yaml"]
    assert len(report.results) == 2


def test_a_broken_table_beside_a_good_one(tmp_path: Path, policy: Policy) -> None:
    (tmp_path / "a.yaml").write_text("cases: [")
    (tmp_path / "b.yaml").write_text(GOOD)
    report = run(tmp_path, policy)
    assert not report.passed
    assert [one.passed for one in report.results] == [True]
    assert report.problems[0].file.endswith("a.yaml")
