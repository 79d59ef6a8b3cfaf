"""The reference page is true: its program prints what it says, its rows load, what it refuses is refused."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from toolcrib.errors import PolicyError
from toolcrib.policy import Policy
from toolcrib.policy._conditions import FIELDS, ROOTS
from toolcrib.policy._model import MODEL

PAGE = (Path(__file__).parents[3] / "docs/reference/policy.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_program_prints_what_the_page_says() -> None:
    (program,) = blocks("python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "policy.md", "exec"), {"__name__": "page"})
    assert printed.getvalue() == blocks("text")[-1]


def test_the_rows_of_the_page_load() -> None:
    assert len(Policy.of(MODEL, blocks("text")[0]).rows) == 2


def test_every_root_and_field_is_on_the_page() -> None:
    for name in (*ROOTS, *FIELDS["tool"], *FIELDS["now"]):
        assert re.search(rf"[.`]{name}\b", PAGE), name


@pytest.mark.parametrize(
    "row",
    [
        "P, *, *, *, *, True, allow",
        "p, *, *, *, True, allow",
        "p, *, *, *, *, True, Allow",
        "p, *, *, *, reads, True, allow",
        "p, *, *, crm.*.read, *, True, allow",
        "p, *, *, crm*, *, True, allow",
        'p, "*", *, *, *, True, allow',
        "p, *, *, *, *, True, allow # why",
        "p, *, *, *, *, (True, allow",
        "p, *, *, *, *, true, allow",
        'p, *, *, *, *, r.ctx.user == "a!b", deny',
        'p, *, *, *, *, r.ctx.user.startswith("a"), deny',
        "p, *, *, *, *, r.ctx.args.a ** 9 > 1, deny",
        "p, *, *, *, *, r.ctx.args.format == 1, deny",
        "g, a, a, *",
    ],
)
def test_what_the_page_calls_refused_is_refused(row: str) -> None:
    with pytest.raises(PolicyError):
        Policy.of(MODEL, row)
