"""`policy.csv`, read strictly and exactly as pycasbin splits it.

pycasbin's format is not CSV: a comma separates only outside brackets, quotes mean nothing, a line whose type
the model does not define vanishes, and a row that is too short makes *every* decision raise. So each line is
split here by pycasbin's own rule, and refused with its place where pycasbin would guess or drop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count

from toolcrib._nearest import did_you_mean
from toolcrib.decisions import Row
from toolcrib.policy._conditions import Conditions
from toolcrib.policy._fields import CHECKS, check_plain
from toolcrib.policy._problems import Problem, Unfit

__all__ = ["MAX_LINE", "MAX_PROBLEMS", "read_rows", "split_fields"]

MAX_LINE = 4096
"""Characters in one row."""
MAX_PROBLEMS = 100
"""After so many, the file is something else than a policy."""

_MARKS = re.compile(r"[,\[\]()]")
_BRACKETS = re.compile(r"[\[\]()]")


def split_fields(line: str) -> list[str]:
    """The fields of one line, by pycasbin's rule: a comma within brackets, even unlike ones, separates
    nothing.
    """
    if not _BRACKETS.search(line):
        return [field.strip() for field in line.split(",")]
    fields, start, depth = [], 0, 0
    for mark in _MARKS.finditer(line):
        character = mark.group()
        if character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
            if depth < 0:
                raise _unbalanced(character)
        elif depth == 0:
            fields.append(line[start : mark.start()].strip())
            start = mark.end()
    if depth:
        raise _unbalanced("(")
    fields.append(line[start:].strip())
    return fields


def _unbalanced(character: str) -> Unfit:
    return Unfit(
        f"a {character!r} without its partner",
        "Casbin counts brackets, even those inside quotes, to find the end of a field",
        "Close it, or keep brackets out of text constants",
    )


class _Reader:
    """Reads rows of one file; `columns` gives the columns of each row type, in order."""

    def __init__(self, file: str, columns: Mapping[str, Sequence[str]], conditions: Conditions) -> None:
        self.file, self.columns, self.conditions = file, columns, conditions
        self.problems: list[Problem] = []
        # A value that was good once is good again: 100,000 rows hold only a few hundred different values.
        self._good: dict[str, dict[str, str]] = {name: {} for names in columns.values() for name in names}
        self._known = {
            (kind, len(names) + 1): [self._good[name] for name in names] for kind, names in columns.items()
        }

    def read(self, lines: Iterable[str], numbers: Iterable[int]) -> Iterator[tuple[Row, str]]:
        for number, line in zip(numbers, lines, strict=False):
            text = line.strip()
            if not text or text[0] == "#":
                continue
            row = self._known_row(text, number) or self._row(text, line, number)
            if row is not None:
                yield row, text
            elif len(self.problems) >= MAX_PROBLEMS:
                return

    def _known_row(self, text: str, number: int) -> Row | None:
        """The row if it is made of nothing but values that were good before; it shares their text."""
        if not text.isprintable() or len(text) > MAX_LINE or _BRACKETS.search(text):
            return None
        kind, *values = map(str.strip, text.split(","))
        known = self._known.get((kind, len(values) + 1))
        if known is None:
            return None
        try:
            shared = tuple([good[value] for good, value in zip(known, values, strict=True)])
        except KeyError:
            return None
        return Row(kind, shared, self.file, number)

    def _row(self, text: str, line: str, number: int) -> Row | None:
        try:
            _check_line(text)
            kind, *values = split_fields(text)
            self._check_shape(kind, values)
        except Unfit as unfit:
            self._note(unfit, number, 0)
            return None
        if not self._check_values(kind, values, line, number):
            return None
        return Row(kind, tuple(values), self.file, number)

    def _check_shape(self, kind: str, values: Sequence[str]) -> None:
        columns = self.columns.get(kind)
        if columns is None:
            raise _unknown_kind(kind, self.columns)
        if len(values) == len(columns):
            return
        much = "few" if len(values) < len(columns) else "many"
        remedy = f"Write {', '.join((kind, *columns))}"
        if much == "many":
            remedy += "; a condition with a comma needs brackets around it, a remark a line of its own"
        raise Unfit(
            f"{len(values)} values are too {much}",
            f"a {kind} row has {len(columns)}: {', '.join(columns)}",
            remedy,
        )

    def _check_values(self, kind: str, values: list[str], line: str, number: int) -> bool:
        for index, (name, value) in enumerate(zip(self.columns[kind], values, strict=True)):
            try:
                self.check_value(name, value)
            except Unfit as unfit:
                self._note(unfit, number, _column(line, index))
                return False
            values[index] = self._good[name].setdefault(value, value)
        return True

    def check_value(self, name: str, value: str) -> None:
        if name in self.conditions.columns:
            self.conditions.add(value)
        else:
            CHECKS.get(name, check_plain)(value)

    def _note(self, unfit: Unfit, number: int, column: int) -> None:
        self.problems.append(Problem(self.file, number, column, unfit.what, unfit.rule, unfit.remedy))


def read_rows(
    text: str,
    file: str,
    columns: Mapping[str, Sequence[str]],
    conditions: Conditions,
    numbers: Sequence[int] | None = None,
) -> tuple[list[Row], list[str], list[Problem]]:
    """The rows, their lines as pycasbin is to read them, and what is wrong with the file.

    `numbers` are the lines' numbers where these are not 1, 2, 3.
    """
    reader = _Reader(file, columns, conditions)
    pairs = list(reader.read(_lines(text), numbers or count(1)))
    return [row for row, _ in pairs], [line for _, line in pairs], reader.problems


def _lines(text: str) -> Iterator[str]:
    """The lines of a text, one at a time: splitting all of it at once would hold up the other threads.

    Only "\n" ends a line, as for pycasbin; str.splitlines would also split at U+2028 and others.
    """
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _check_line(text: str) -> None:
    if len(text) > MAX_LINE:
        raise Unfit(
            f"a line of {len(text)} characters", f"a row has at most {MAX_LINE}", "Shorten the condition"
        )
    if not text.isprintable() and not (text := text.replace("\t", " ")).isprintable():
        bad = next(character for character in text if not character.isprintable())
        raise Unfit(
            f"the invisible character U+{ord(bad):04X}",
            "a row holds printable characters and plain spaces, so that what you see is what decides",
            "Delete it (lines end with LF or CRLF; separate columns with a comma and a space)",
        )


def _unknown_kind(kind: str, known: Mapping[str, object]) -> Unfit:
    remedy = did_you_mean(kind.lower(), known) if kind else "Begin the row with p, p2, p3 or g"
    return Unfit(
        f"unknown row type {kind!r}", f"rows are {', '.join(known)}; Casbin drops all others silently", remedy
    )


def _column(line: str, index: int) -> int:
    """Where value number `index` begins, counted from 1."""
    depth, seen = 0, -1
    for position, character in enumerate(line):
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            seen += 1
            if seen == index:
                rest = line[position + 1 :]
                return position + 2 + len(rest) - len(rest.lstrip())
    return 0
