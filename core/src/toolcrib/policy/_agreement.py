"""Whether pycasbin reads a policy as it was read here; where it does not, the policy does not load.

For a model that is not ours pycasbin decides, so it loads every row, and every row is compared. For the
shipped model the index decides, and pycasbin is only the judge of what the text says. It takes ten times as
long as our reader, and nearly all of that is the same few values over and over. So it loads the first
`WHOLE` rows, which for most policies are all; and of a larger policy every *different* value, each once, in
rows made of nothing else. That is enough: a row is its values with commas in between, pycasbin ends a value
at a comma outside brackets, and whether a comma is outside depends on nothing but the brackets before it,
which in each of these values come in pairs (a value whose brackets did not would be read differently here).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from toolcrib.decisions import Row
from toolcrib.errors import PolicyError
from toolcrib.policy._evaluate import FUNCTIONS
from toolcrib.policy._model import Model
from toolcrib.policy._problems import Problem
from toolcrib.policy._rows import Read, row_lines

__all__ = ["WHOLE", "compare"]

WHOLE = 1000
"""Rows that pycasbin loads as they stand."""
PIECE = 4000
"""Values in one such row: with all of them in one, other threads would wait for its end."""
_RULE = "pycasbin and Toolcrib must read the same rows"


def compare(model: Model, text: str, read: Read, file: str) -> Any:
    """Raise `PolicyError` unless pycasbin reads the same; the enforcer that has loaded the rows, where
    pycasbin has to decide.
    """
    if not model.shipped:
        return _loads_alike(model, list(row_lines(text)), read.rows, file)
    _loads_alike(model, list(islice(row_lines(text), WHOLE)), read.rows[:WHOLE], file)
    if len(read.rows) > WHOLE:
        _reads_alike(model, read.values, file)
    return None


def _loads_alike(model: Model, lines: Sequence[str], rows: Sequence[Row], file: str) -> Any:
    from toolcrib.policy._casbin import build

    try:
        enforcer = build(model.text, lines, FUNCTIONS)
    except PolicyError:
        raise
    except Exception as error:
        what, rule = f"pycasbin cannot load it: {error}", "policy is loaded by pycasbin"
        raise Problem(file, 0, 0, what, rule, "Mend the row it names").error() from None
    theirs = {kind: iter(loaded) for kind, loaded in _loaded_by(enforcer).items()}
    same = all(tuple(next(theirs[row.kind], ())) == row.values for row in rows)
    if not same or any(next(rest, None) is not None for rest in theirs.values()):
        raise Problem(file, 0, 0, "pycasbin reads other rows", _RULE, "Report this file to us").error()
    return enforcer


def _loaded_by(enforcer: Any) -> Mapping[str, list[list[str]]]:
    sections = enforcer.get_model()
    return {kind: one.policy for name in ("p", "g") for kind, one in (sections[name] or {}).items()}


def _reads_alike(model: Model, values: Mapping[str, Any], file: str) -> None:
    """Of every row type rows of all values that its columns hold."""
    from toolcrib.policy._casbin import read_line

    for kind, columns in model.columns.items():
        all_mine = [value for name in columns for value in values[name]]
        for start in range(0, len(all_mine), PIECE):
            mine = all_mine[start : start + PIECE]
            theirs = read_line(model.text, kind, ", ".join((kind, *mine)))
            if theirs != mine:
                first = next((one for one, other in zip(mine, theirs, strict=False) if one != other), "")
                what = f"pycasbin reads {first[:60]!r} otherwise"
                raise Problem(file, 0, 0, what, _RULE, "Report this file to us").error()
