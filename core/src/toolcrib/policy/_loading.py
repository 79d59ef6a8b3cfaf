"""From the text of two files to checked rows that pycasbin has loaded too."""

from __future__ import annotations

import gc
import threading
import warnings as python_warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from toolcrib.decisions import Row
from toolcrib.errors import PolicyError, ToolcribWarning
from toolcrib.policy._conditions import Conditions
from toolcrib.policy._evaluate import FUNCTIONS
from toolcrib.policy._index import Rule
from toolcrib.policy._model import Model, read_model
from toolcrib.policy._problems import Problem
from toolcrib.policy._roles import RoleGraph
from toolcrib.policy._rows import read_rows

__all__ = ["Loaded", "load_text", "without_collector"]


@contextmanager
def without_collector() -> Iterator[None]:
    """A policy is many small objects and no garbage: looking for some takes half of the time.

    Several threads may be within; the collector goes on when the last is done.
    """
    global _within, _was_enabled
    with _counting:
        if not _within:
            _was_enabled = gc.isenabled()
            gc.disable()
        _within += 1
    try:
        yield
    finally:
        with _counting:
            _within -= 1
            if not _within and _was_enabled:
                gc.enable()


_counting = threading.Lock()
_within = 0
_was_enabled = True


@dataclass(slots=True)
class Loaded:
    """A policy as read. With `problems` there is no `enforcer`, and no policy is made of it."""

    model: Model
    rows: Sequence[Row]
    conditions: Conditions
    roles: RoleGraph
    problems: Sequence[Problem]
    enforcer: Any = None
    warnings: list[str] = field(default_factory=list)

    def rules(self) -> list[Rule]:
        """The p, p2 and p3 rows as the index takes them."""
        where = {kind: _position(columns, "when") for kind, columns in self.model.columns.items()}
        get = self.conditions.get
        return [
            Rule(row, None if (at := where[row.kind]) is None else get(row.values[at]))
            for row in self.rows
            if row.kind != "g"
        ]


def _position(columns: Sequence[str], name: str) -> int | None:
    return list(columns).index(name) if name in columns else None


def load_text(
    model_text: str,
    rows_text: str,
    model_file: str,
    rows_file: str,
    numbers: Sequence[int] | None = None,
) -> Loaded:
    """Read and check both texts, then let pycasbin load them. A model that is refused raises
    `PolicyError`.

    `numbers` are the lines' numbers where these are not 1, 2, 3.
    """
    model = read_model(model_text, model_file)
    conditions = Conditions(model.conditions)
    rows, lines, problems = read_rows(rows_text, rows_file, model.columns, conditions, numbers)
    roles = RoleGraph(row for row in rows if row.kind == "g")
    problems = problems or roles.problems()
    loaded = Loaded(model, rows, conditions, roles, problems)
    if not problems:
        loaded.enforcer = _casbin_agrees(model, lines, rows, rows_file)
        _warn(loaded)
    return loaded


def _casbin_agrees(model: Model, lines: Sequence[str], rows: Sequence[Row], file: str) -> Any:
    """What pycasbin loaded, if it is row by row what was read here."""
    from toolcrib.policy._casbin import build

    try:
        enforcer = build(model.text, lines, FUNCTIONS)
    except PolicyError:
        raise
    except Exception as error:
        rule = "policy is loaded by pycasbin"
        raise Problem(
            file, 0, 0, f"pycasbin cannot load it: {error}", rule, "Mend the row it names"
        ).error() from None
    theirs = {kind: iter(loaded) for kind, loaded in _loaded_by(enforcer).items()}
    same = all(tuple(next(theirs[row.kind], ())) == row.values for row in rows)
    if not same or any(next(rest, None) is not None for rest in theirs.values()):
        rule = "pycasbin and Toolcrib must read the same rows"
        raise Problem(file, 0, 0, "pycasbin reads other rows", rule, "Report this file to us").error()
    return enforcer


def _loaded_by(enforcer: Any) -> Mapping[str, list[list[str]]]:
    sections = enforcer.get_model()
    return {kind: one.policy for name in ("p", "g") for kind, one in (sections[name] or {}).items()}


def _warn(loaded: Loaded) -> None:
    if not any(row.kind == "p" for row in loaded.rows):
        loaded.warnings.append("there is no p row, so every call is denied")
    if not loaded.model.shipped:
        text = "model.conf is not the shipped model: plain Casbin decides, slower, row by row"
        loaded.warnings.append(text)
        python_warnings.warn(text, ToolcribWarning, stacklevel=5)
