"""Which files and rows are refused, with which place and words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from casbin.persist.adapter import _extract_tokens
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.errors import PolicyError
from toolcrib.policy import Policy, _files
from toolcrib.policy._model import MODEL
from toolcrib.policy._problems import Unfit
from toolcrib.policy._rows import MAX_LINE, MAX_PROBLEMS, split_fields

GOOD = "p, *, *, *, *, True, allow"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.conf").write_text(MODEL)
    (tmp_path / "policy.csv").write_text(GOOD)
    return tmp_path


def refused(folder: Path, rows: str | bytes | None = None) -> PolicyError:
    if rows is not None:
        (folder / "policy.csv").write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    with pytest.raises(PolicyError) as caught:
        Policy.load(folder)
    assert caught.value.rule
    assert caught.value.remedy
    return caught.value


P, P2, P3, G = "p, {}, *, *, *, True, allow", "p2, *, *, *, *, True, {}", "p3, *, *, *, {}", "g, {}, {}, {}"


@pytest.mark.parametrize(
    ("row", "what", "remedy"),
    [
        # subjects
        (P.format("role:sales"), "subject 'role:sales'", "without a prefix"),
        (P.format("users:alice"), "subject 'users:alice'", "Did you mean 'user'?"),
        (P.format("user:"), "subject 'user:'", ""),
        (P.format("user:*"), "subject 'user:*'", "a * stands alone"),
        (P.format("user:a b"), "subject 'user:a b'", ""),
        (P.format("user:alice:x"), "subject 'user:alice:x'", ""),
        (P.format("**"), "subject '**'", ""),
        (P.format(""), "a value is empty", "Fill it in"),
        (P.format("'alice'"), "quotes in", "without quotes"),
        (P.format("ünal"), "subject 'ünal'", ""),
        # tenants
        ("p, *, acme*, *, *, True, allow", "domain 'acme*'", "exactly"),
        ("p, *, , *, *, True, allow", "a value is empty", ""),
        ("p, *, a/b, *, *, True, allow", "domain 'a/b'", ""),
        # objects
        ("p, *, *, crm, *, True, allow", "object 'crm'", "canonical name"),
        ("p, *, *, crm*, *, True, allow", "object 'crm*'", "whole pack"),
        ("p, *, *, *.read, *, True, allow", "object '*.read'", ""),
        ("p, *, *, crm.*.read, *, True, allow", "object 'crm.*.read'", "one by one"),
        ("p, *, *, crm.get*, *, True, allow", "object 'crm.get*'", ""),
        ("p, *, *, crm.a.b, *, True, allow", "object 'crm.a.b'", ""),
        ("p, *, *, crm.a.*, *, True, allow", "object 'crm.a.*'", ""),
        ("p, *, *, CRM.get, *, True, allow", "object 'CRM.get'", ""),
        ("p, *, *, **, *, True, allow", "object '**'", ""),
        ("p, *, *, crm., *, True, allow", "object 'crm.'", ""),
        # effects
        ("p, *, *, *, Read, True, allow", "unknown effect 'Read'", "Did you mean 'read'?"),
        ("p, *, *, *, delete, True, allow", "unknown effect 'delete'", ""),
        ("p, *, *, *, read|write, True, allow", "unknown effect 'read|write'", ""),
        ("p, *, *, *, *, True, Allow", "'Allow'", "Did you mean 'allow'?"),
        ("p, *, *, *, *, True, ALLOW", "'ALLOW'", "Did you mean 'allow'?"),
        ("p, *, *, *, *, True, permit", "'permit'", ""),
        ("p, *, *, *, *, True,", "a value is empty", ""),
        ("p, *, *, *, *, true, allow", "unknown name 'true'", "Write True"),
        # approvers
        (P2.format(""), "a value is empty", ""),
        (P2.format("lead|"), "approvers 'lead|'", "for example"),
        (P2.format("|lead"), "approvers '|lead'", ""),
        (P2.format("agent:writer"), "approvers 'agent:writer'", ""),
        (P2.format("user:"), "approvers 'user:'", ""),
        (P2.format("*"), "approvers '*'", ""),
        (P2.format("lead or boss"), "approvers 'lead or boss'", ""),
        # quotas
        (P3.format("20"), "quota '20'", "for example"),
        (P3.format("20/day"), "quota '20/day'", ""),
        (P3.format("0/day per user"), "quota '0/day per user'", ""),
        (P3.format("-1/day per user"), "quota '-1/day per user'", ""),
        (P3.format("1.5/day per user"), "quota", ""),
        (P3.format("20/days per user"), "quota '20/days per user'", ""),
        (P3.format("20/month per user"), "quota '20/month per user'", ""),
        (P3.format("20/day per role"), "quota '20/day per role'", ""),
        (P3.format("20/day per user per agent"), "quota", ""),
        (P3.format("9999999999/day per user"), "quota", ""),
        # roles
        (G.format("user:alice", "user:bob", "*"), "role 'user:bob'", "plain name"),
        (G.format("user:alice", "*", "*"), "role '*'", ""),
        (G.format("*", "sales", "*"), "a role for *", "p row for *"),
        (G.format("user:alice", "requester", "*"), "a role named 'requester'", "another name"),
        (G.format("requester", "sales", "*"), "a role named 'requester'", "another name"),
        (G.format("user:alice", "sales", "acme*"), "domain 'acme*'", ""),
        ("g, user:alice, sales", "2 values are too few", "Write g, grantee, role, dom"),
        # shape
        ("p, *, *, *, *, True", "5 values are too few", "Write p, sub, dom, obj, act, when, eft"),
        ("p, *, *, *, *, True, allow, x", "7 values are too many", "brackets around it"),
        ("p2, *, *, *, *, True", "5 values are too few", ""),
        ("p3, *, *, *, *, 1/day per user", "5 values are too many", ""),
        ("p", "0 values are too few", ""),
        ("hello", "unknown row type 'hello'", ""),
        (", *, *", "unknown row type ''", "Begin the row"),
        ("P2, *, *, *, *, True, lead", "unknown row type 'P2'", "Did you mean 'p2'?"),
        ("p, *, *, *, *, (True, allow", "without its partner", "Close it"),
        ("p, *, *, *, *, True), allow", "without its partner", ""),
        # characters
        ("p, user:a\u200bb, *, *, *, True, allow", "U+200B", "Delete it"),
        ('p, *, *, *, *, r.ctx.user == "\u202eecila", deny', "U+202E", ""),
        ("p, *,\u00a0*, *, *, True, allow", "U+00A0", ""),
        ("p, *, *, *, *, True, allow\u2028", "", ""),
    ],
)
def test_a_row_that_is_refused(folder: Path, row: str, what: str, remedy: str) -> None:
    if row.endswith("\u2028"):  # white space at the end, as for pycasbin
        (folder / "policy.csv").write_text(row, encoding="utf-8")
        assert len(Policy.load(folder).rows) == 1
        return
    error = refused(folder, f"# a remark\n\n{row}\n")
    assert "policy.csv:3" in str(error)
    assert what in error.what
    assert remedy in error.remedy


@pytest.mark.parametrize(
    "row",
    [
        GOOD,
        "p, user:alice@example.com, acme-eu.1, crm.get_record, read, True, allow",
        "p,user:alice,acme,crm.*,read,True,deny",
        "p\t,\tsales-lead , *,  mail.send , send , True ,allow",
        'p, *, *, local.tool-1, *, has(r.ctx, "args.a") and r.ctx.args.a in (1, 2), deny',
        'p, *, *, *, *, r.ctx.args.name != "Müller & Söhne", deny',
        "p2, *, *, *, *, True, requester|user:dana|sales-lead",
        "p3, *, *, *, 1/second per tenant",
        "p3, *, *, *, 999999999/week  per   agent",
        "g, user:alice, sales, *",
        "g, sales, staff, acme",
        "   # a remark, with (brackets",
    ],
)
def test_a_row_that_is_taken(folder: Path, row: str) -> None:
    (folder / "policy.csv").write_text(f"{row}\n", encoding="utf-8")
    Policy.load(folder)


def test_an_error_names_the_column(folder: Path) -> None:
    (folder / "policy.csv").write_text("p, *, *,  crm, *, True, allow\n  p2, *, *, *, *, True, |\n")
    assert [problem.place for problem in Policy.problems(folder)] == ["policy.csv:1:11", "policy.csv:2:25"]


def test_all_problems_are_found_and_the_first_is_raised(folder: Path) -> None:
    error = refused(folder, "p, *\n" + GOOD + "\nx, *\n" + GOOD.replace("allow", "Allow"))
    assert "policy.csv:1" in error.what
    assert "(2 more like it" in error.what
    assert [problem.line for problem in Policy.problems(folder)] == [1, 3, 4]


def test_a_file_that_is_no_policy_is_not_read_to_its_end(folder: Path) -> None:
    (folder / "policy.csv").write_text("nonsense\n" * 100_000)
    assert len(Policy.problems(folder)) == MAX_PROBLEMS


def test_a_good_folder_has_no_problems(folder: Path) -> None:
    assert Policy.problems(folder) == []


def test_a_line_has_a_length(folder: Path) -> None:
    assert f"at most {MAX_LINE}" in refused(folder, "p, " + "x" * MAX_LINE).rule


# --- files ---


@pytest.mark.parametrize("name", ["model.conf", "policy.csv"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    error = refused(folder)
    assert str(folder / name) in error.what
    assert "No such file" in error.what


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "nowhere" in refused(tmp_path / "nowhere").what


def test_a_folder_in_place_of_the_file_is_refused(folder: Path) -> None:
    (folder / "policy.csv").unlink()
    (folder / "policy.csv").mkdir()
    refused(folder)


def test_a_symlink_loop_is_refused(folder: Path) -> None:
    (folder / "policy.csv").unlink()
    (folder / "policy.csv").symlink_to("policy.csv")
    assert "symbolic links" in refused(folder).what


def test_a_pipe_in_place_of_the_file_does_not_hang(folder: Path) -> None:
    (folder / "policy.csv").unlink()
    os.mkfifo(folder / "policy.csv")
    assert "is not a file" in refused(folder).what


def test_an_endless_device_is_refused(folder: Path) -> None:
    (folder / "policy.csv").unlink()
    (folder / "policy.csv").symlink_to("/dev/zero")
    assert "is not a file" in refused(folder).what


def test_a_huge_file_is_refused_without_reading_it_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_files, "MAX_BYTES", 2**20)
    with (folder / "policy.csv").open("wb") as file:
        file.truncate(2**40)
    assert "larger than 1 MiB" in refused(folder).what


@pytest.mark.parametrize("data", [b"\x00\x01\x02", b"PK\x03\x04\x00", GOOD.encode() + b"\n\0"])
def test_a_binary_file_is_refused(folder: Path, data: bytes) -> None:
    assert "NUL byte" in refused(folder, data).what


def test_utf_16_is_refused_rather_than_read_as_nonsense(folder: Path) -> None:
    refused(folder, GOOD.encode("utf-16"))


def test_an_empty_file_denies_everything_and_says_so(folder: Path) -> None:
    (folder / "policy.csv").write_bytes(b"")
    policy = Policy.load(folder)
    assert policy.rows == ()
    assert policy.warnings == ("there is no p row, so every call is denied",)


def test_the_revision_changes_with_either_file_and_with_nothing_else(folder: Path) -> None:
    first = Policy.load(folder).revision
    assert Policy.load(folder).revision == first
    (folder / "policy.csv").write_text(GOOD + "\n# a remark\n")
    second = Policy.load(folder).revision
    (folder / "model.conf").write_text(MODEL + "\n")
    third = Policy.load(folder).revision
    assert len({first, second, third}) == 3


def test_a_byte_that_moves_from_one_file_to_the_other_is_another_revision() -> None:
    assert Policy.of(MODEL + "\n", GOOD).revision != Policy.of(MODEL, "\n" + GOOD).revision


# --- the same fields as pycasbin ---


@given(st.text("ab,.()[]{} \"'", max_size=40))
def test_lines_are_split_exactly_as_pycasbin_splits_them(line: str) -> None:
    line = line.strip()
    try:
        mine: list[str] | None = split_fields(line)
    except Unfit:
        mine = None
    try:
        theirs = _extract_tokens(line)
    except IndexError:
        theirs = None
    if mine is not None and line:
        assert mine == theirs


@given(st.text(max_size=80))
def test_no_text_whatsoever_loads_as_something_else_than_pycasbin_read(text: str) -> None:
    """Loading either fails with PolicyError or has compared every row with pycasbin's."""
    try:
        policy: Any = Policy.of(MODEL, text)
    except PolicyError as error:
        assert error.rule
    else:
        assert all(row.kind in ("p", "p2", "p3", "g") for row in policy.rows)
