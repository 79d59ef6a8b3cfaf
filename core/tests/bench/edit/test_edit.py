"""Rows come and go; remarks, order, spacing and line ends stay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolcrib.bench import edit
from toolcrib.bench.edit import FREEZE_BEGINS, FREEZE_ENDS

TEXT = """\
# Who may what.
p,  *, acme, crm.*,   read,  True, allow

# writing
p,  sales, acme, crm.set,  write, has(r.ctx, "args.a") and r.ctx.args.a in (1, 2), allow
p2, *, acme, crm.set,  write, True, lead
g, user:ann, sales, acme
"""
FROZEN = f"""
{FREEZE_BEGINS}
p, *, *, crm.set, *, True, deny
{FREEZE_ENDS}
"""


def test_a_frozen_tool_is_a_row_in_a_marked_block_at_the_end() -> None:
    assert edit.freeze(TEXT, ["crm.set"]) == TEXT + FROZEN


def test_more_tools_join_the_block() -> None:
    text = edit.freeze(edit.freeze(TEXT, ["crm.set"]), ["mail.send", "crm.set", "erp.*"])
    assert edit.frozen(text) == ["crm.set", "mail.send", "erp.*"]
    assert text.count(FREEZE_BEGINS) == text.count(FREEZE_ENDS) == 1
    assert text.startswith(TEXT)


def test_a_block_in_the_middle_stays_there() -> None:
    text = edit.freeze(TEXT + FROZEN + "g, user:bob, sales, acme\n", ["mail.send"])
    assert text.endswith(f"mail.send, *, True, deny\n{FREEZE_ENDS}\ng, user:bob, sales, acme\n")


def test_what_is_frozen_already_changes_nothing() -> None:
    assert edit.freeze(TEXT + FROZEN, ["crm.set"]) == TEXT + FROZEN


def test_unfreeze_gives_the_text_before_back() -> None:
    assert edit.unfreeze(edit.freeze(TEXT, ["crm.set", "erp.*"]), ["crm.set", "erp.*"]) == TEXT


def test_unfreeze_of_one_leaves_the_others() -> None:
    assert edit.frozen(edit.unfreeze(edit.freeze(TEXT, ["a.b", "c.d"]), ["a.b"])) == ["c.d"]


def test_an_equal_row_written_by_hand_counts_as_frozen() -> None:
    assert edit.frozen("p,*,*,crm.x,*,True,deny\n") == ["crm.x"]
    assert edit.unfreeze("p,*,*,crm.x,*,True,deny\n# end\n", ["crm.x"]) == "# end\n"


@pytest.mark.parametrize(
    "row",
    [
        "p, *, acme, crm.x, *, True, deny",
        "p, agent:a, *, crm.x, *, True, deny",
        "p, *, *, crm.x, write, True, deny",
        "p, *, *, crm.x, *, r.ctx.user == 'deny', deny",
        "p, *, *, crm.x, *, True, allow",
        "p2, *, *, crm.x, *, True, deny",
        "# p, *, *, crm.x, *, True, deny",
        "p, *, *, crm.x(, *, True, deny",
    ],
)
def test_any_other_row_is_not_frozen_and_never_taken_out(row: str) -> None:
    assert edit.frozen(row) == []
    assert edit.without_frozen(row) == row
    assert edit.unfreeze(row + "\n", ["crm.x"]) == row + "\n"


def test_without_frozen_keeps_line_numbers() -> None:
    text = edit.without_frozen(FROZEN + TEXT)
    assert text.split("\n").index("# writing") == (FROZEN + TEXT).split("\n").index("# writing")
    assert edit.frozen(text) == []


def test_line_ends_are_kept() -> None:
    text = edit.freeze(TEXT.replace("\n", "\r\n"), ["a.b"])
    assert text.count("\r\n") == text.count("\n")
    assert edit.unfreeze(text, ["a.b"]) == TEXT.replace("\n", "\r\n")


def test_a_last_line_without_an_end_gets_one() -> None:
    assert edit.freeze("g, a, b, c", ["x.y"]).startswith("g, a, b, c\n\n# --- frozen")


def test_an_empty_file_can_be_frozen() -> None:
    assert edit.frozen(edit.freeze("", ["x.y"])) == ["x.y"]
    assert edit.unfreeze(edit.freeze("", ["x.y"]), ["x.y"]) == ""


def test_rows_are_removed_however_they_are_spaced() -> None:
    condition = 'has(r.ctx, "args.a") and r.ctx.args.a in (1, 2)'
    gone = [("p", ("sales", "acme", "crm.set", "write", condition, "allow"))]
    text = edit.remove_rows(TEXT, gone)
    assert text == TEXT.replace(TEXT.split("\n")[4] + "\n", "")


def test_a_new_row_stands_behind_its_kind_and_tool() -> None:
    added = [
        ("p", ("*", "acme", "crm.set", "write", "True", "deny")),
        ("p2", ("*", "acme", "x.y", "*", "True", "a")),
    ]
    lines = edit.add_rows(TEXT, added, near="crm.set").split("\n")
    assert lines[5] == "p, *, acme, crm.set, write, True, deny"
    assert lines[7] == "p2, *, acme, x.y, *, True, a"


def test_a_new_row_of_a_new_kind_stands_in_front_of_the_frozen_block() -> None:
    text = edit.add_rows(TEXT + FROZEN, [("p3", ("*", "acme", "crm.set", "1/day per user"))], near="crm.set")
    assert text.index("p3, ") < text.index(FREEZE_BEGINS)


tools = st.lists(st.sampled_from(["a.b", "a.*", "c.d", "*"]), max_size=4)
lines = st.lists(
    st.sampled_from(
        ["# x", "", "p, *, *, q.r, *, True, allow", FREEZE_ENDS, "  g, a, b, c ", "\tp, (", "p,,"]
    )
)


@settings(max_examples=150)
@given(lines, tools, tools)
def test_freezing_and_unfreezing_touch_nothing_else(
    text: list[str], one: list[str], other: list[str]
) -> None:
    before = "".join(line + "\n" for line in text)
    after = edit.unfreeze(edit.freeze(edit.freeze(before, one), other), {*one, *other})
    keep = [line for line in text if line.strip()]
    assert [line for line in after.split("\n") if line.strip()] == keep
    assert set(edit.frozen(edit.freeze(edit.freeze(before, one), other))) == {*one, *other}
