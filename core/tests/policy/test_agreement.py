"""Large policies: pycasbin reads each different value once, and what it reads otherwise is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from toolcrib.errors import PolicyError
from toolcrib.policy import MODEL, Policy
from toolcrib.policy._agreement import WHOLE, compare
from toolcrib.policy._conditions import Conditions
from toolcrib.policy._model import Model, read_model
from toolcrib.policy._rows import Read, read_rows, row_lines

ODD = 'p, user:odd, acme, crm.odd, read, has(r.ctx, "args.a") and r.ctx.args.a in ["x", (1, 2)], allow'


def many(last: str = "") -> str:
    rows = [f"p, user:u{number}, acme, crm.read, read, True, allow" for number in range(WHOLE + 50)]
    return "\n".join([*rows, last])


def read(text: str) -> tuple[Model, Read]:
    model = read_model(MODEL, "model.conf")
    return model, read_rows(text, "policy.csv", model.columns, Conditions(model.conditions))


def test_a_value_with_commas_and_brackets_beyond_the_first_rows_is_read_as_pycasbin_does() -> None:
    model, found = read(many(ODD))
    assert found.problems == []
    assert found.rows[-1].values[4].endswith('in ["x", (1, 2)]')
    assert compare(model, many(ODD), found, "policy.csv") is None


@pytest.mark.parametrize("column", ["sub", "dom", "obj", "act", "when", "eft", "approvers", "quota"])
def test_a_value_that_pycasbin_would_split_is_refused_wherever_it_stands(column: str) -> None:
    """As it would be if our reader took a comma for part of a value."""
    model, found = read(many(ODD))
    values = {**found.values, column: [*found.values[column], "one, two"]}
    with pytest.raises(PolicyError, match="pycasbin reads"):
        compare(model, many(ODD), Read(found.rows, values, []), "policy.csv")


@pytest.mark.parametrize("value", ["(", "a)", "[b", " led", "trailing "])
def test_a_value_whose_brackets_or_blanks_swallow_its_neighbours_is_refused(value: str) -> None:
    model, found = read(many())
    values = {**found.values, "obj": [*found.values["obj"], value]}
    with pytest.raises(PolicyError, match=r"pycasbin|Mend the row"):
        compare(model, many(), Read(found.rows, values, []), "policy.csv")


def test_one_of_the_first_rows_that_pycasbin_reads_otherwise_is_refused() -> None:
    model, found = read(many())
    changed = [
        type(row)(row.kind, (*row.values[:2], "crm.write", *row.values[3:]), row.file, row.line)
        for row in found.rows[:1]
    ]
    with pytest.raises(PolicyError, match="pycasbin reads other rows"):
        compare(model, many(), Read([*changed, *found.rows[1:]], found.values, []), "policy.csv")


def test_all_rows_are_read_where_they_are_laid_out_by_hand() -> None:
    text = many("  p ,user:odd,acme ,  crm.odd,read,True ,allow  \n# a remark\n\n" + ODD)
    _, found = read(text)
    assert found.problems == []
    assert [row.line for row in found.rows[-2:]] == [WHOLE + 51, WHOLE + 54]
    assert len(found.rows) == len(list(row_lines(text)))
    assert found.rows[-2].values == ("user:odd", "acme", "crm.odd", "read", "True", "allow")


def broken() -> Iterator[str]:
    yield "p, user:odd, acme, crm.odd, read, True, Allow"
    yield "p, user:odd, acme, crm.odd, read, true, allow"
    yield "p, user:odd, acme, crm.*.odd, read, True, allow"
    yield "p, user:odd, acme, crm.odd, read, True"
    yield "p, user:odd, acme, crm.odd, read, True, allow, more"
    yield "q, user:odd, acme, crm.odd, read, True, allow"
    yield "p, user:odd, acme, crm.odd, read, (True, allow"


@pytest.mark.parametrize("row", list(broken()))
def test_a_bad_row_at_the_end_of_a_large_policy_is_still_found(row: str) -> None:
    with pytest.raises(PolicyError, match=f"policy.csv:{WHOLE + 51}"):
        Policy.of(MODEL, many(row))
    Policy.of(MODEL, many(ODD))
