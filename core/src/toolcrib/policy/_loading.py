"""From the text of two files to checked rows that pycasbin reads alike."""

from __future__ import annotations

import gc
import threading
import warnings as python_warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from toolcrib.decisions import Row
from toolcrib.errors import ToolcribWarning
from toolcrib.policy._agreement import compare
from toolcrib.policy._conditions import Conditions
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
    """A policy as read. With `problems` no policy is made of it. `enforcer` decides for a custom model."""

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
    """Read and check both texts, and compare with what pycasbin reads. A model that is refused raises
    `PolicyError`.

    `numbers` are the lines' numbers where these are not 1, 2, 3.
    """
    model = read_model(model_text, model_file)
    conditions = Conditions(model.conditions)
    read = read_rows(rows_text, rows_file, model.columns, conditions, numbers)
    roles = RoleGraph(row for row in read.rows if row.kind == "g")
    problems = read.problems or roles.problems()
    loaded = Loaded(model, read.rows, conditions, roles, problems)
    if not problems:
        loaded.enforcer = compare(model, rows_text, read, rows_file)
        _warn(loaded)
    return loaded


def _warn(loaded: Loaded) -> None:
    if not any(row.kind == "p" for row in loaded.rows):
        loaded.warnings.append("there is no p row, so every call is denied")
    if not loaded.model.shipped:
        text = "model.conf is not the shipped model: plain Casbin decides, slower, row by row"
        loaded.warnings.append(text)
        python_warnings.warn(text, ToolcribWarning, stacklevel=5)
