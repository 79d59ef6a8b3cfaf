"""`policy.csv`, read strictly and exactly as pycasbin splits it.

pycasbin's format is not CSV: a comma separates only outside brackets, quotes mean nothing, a line whose type
the model does not define vanishes, and a row that is too short makes *every* decision raise. So each line is
split here by pycasbin's own rule, and refused with its place where pycasbin would guess or drop.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from operator import getitem

from toolcrib._nearest import did_you_mean
from toolcrib.decisions import Row
from toolcrib.policy._conditions import Conditions
from toolcrib.policy._fields import CHECKS, check_plain
from toolcrib.policy._problems import Problem, Unfit

__all__ = ["MAX_LINE", "MAX_PROBLEMS", "Read", "lines_of", "read_rows", "row_lines", "split_fields"]

MAX_LINE = 4096
"""Characters in one row."""
MAX_PROBLEMS = 100
"""After so many, the file is something else than a policy."""

_MARKS = re.compile(r"[,\[\]()]")
_BRACKETS = re.compile(r"[\[\]()]")
_WORD = re.compile(r"[A-Za-z0-9@._:*-]+")


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


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of a text, the different values of each column, and what is wrong with the text."""

    rows: list[Row]
    values: Mapping[str, Collection[str]]
    problems: list[Problem]


class _Reader:
    """Reads rows of one file; `columns` gives the columns of each row type, in order."""

    def __init__(self, file: str, columns: Mapping[str, Sequence[str]], conditions: Conditions) -> None:
        self.file, self.columns, self.conditions = file, columns, conditions
        self.rows: list[Row] = []
        self.problems: list[Problem] = []
        # A value that was good once is good again: 100,000 rows hold only a few thousand different values.
        # Each is balanced in brackets and has no comma outside them, so a row that is made of nothing but
        # these and ", " has one reading only.
        self.good: dict[str, dict[str, str]] = {name: {} for names in columns.values() for name in names}
        self._known = {kind: [self.good[name] for name in names] for kind, names in columns.items()}
        self._when = {kind: _only_condition(names, conditions.columns) for kind, names in columns.items()}

    def read(self, lines: Iterable[str], numbers: Iterable[int]) -> None:
        add, file, known = self.rows.append, self.file, self._known
        for number, line in zip(numbers, lines, strict=False):
            kind, *fields = line.split(", ")
            good = known.get(kind)
            if good is not None and len(good) == len(fields) and len(line) <= MAX_LINE:
                try:
                    add(Row(kind, tuple(map(getitem, good, fields)), file, number))
                    continue
                except KeyError:
                    pass
            if not self._read_new(line, number):
                return

    def _read_new(self, line: str, number: int) -> bool:
        """A line that says something new, or is laid out otherwise. False when it is no use to go on."""
        text = line.strip()
        if not text or text[0] == "#":
            return True
        kind, *fields = text.split(", ")
        values = self._words(kind, fields) if len(text) <= MAX_LINE else None
        if values is None:
            return self._read_slowly(text, line, number)
        self.rows.append(Row(kind, values, self.file, number))
        return True

    def _words(self, kind: str, fields: list[str]) -> tuple[str, ...] | None:
        """The values, if each is good or a word that may stand in its column; they share their text."""
        known, when = self._known.get(kind), self._when.get(kind, -1)
        more = len(fields) - len(known) if known is not None else -1
        if known is None or more < 0:
            return None
        if more and when >= 0:  # a condition with commas of its own
            fields[when : when + more + 1] = [", ".join(fields[when : when + more + 1])]
        if len(fields) != len(known):
            return None
        for good, name, value in zip(known, self.columns[kind], fields, strict=True):
            if value not in good:
                try:
                    if not _WORD.fullmatch(value):
                        return None
                    self.check_value(name, value)
                except Unfit:
                    return None  # to be read once more, to say what is wrong and where
                good[value] = value
        return tuple(map(getitem, known, fields))

    def _read_slowly(self, text: str, line: str, number: int) -> bool:
        """A row that says something new, or is laid out otherwise. False when there is no use in going on."""
        try:
            _check_line(text)
            kind, *values = split_fields(text)
            self._check_shape(kind, values)
        except Unfit as unfit:
            self._note(unfit, number, 0)
        else:
            if self._check_values(kind, values, line, number):
                self.rows.append(Row(kind, tuple(values), self.file, number))
        return len(self.problems) < MAX_PROBLEMS

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
        for index, (good, value) in enumerate(zip(self._known[kind], values, strict=True)):
            if value in good:
                values[index] = good[value]
                continue
            try:
                self.check_value(self.columns[kind][index], value)
            except Unfit as unfit:
                self._note(unfit, number, _column(line, index))
                return False
            good[value] = value
        return True

    def check_value(self, name: str, value: str) -> None:
        if name in self.conditions.columns:
            self.conditions.add(value)
        else:
            CHECKS.get(name, check_plain)(value)

    def _note(self, unfit: Unfit, number: int, column: int) -> None:
        self.problems.append(Problem(self.file, number, column, unfit.what, unfit.rule, unfit.remedy))


def _only_condition(names: Sequence[str], conditions: Collection[str]) -> int:
    """Where the one column of conditions is; -1 where there is none, or more than one."""
    found = [index for index, name in enumerate(names) if name in conditions]
    return found[0] if len(found) == 1 else -1


def read_rows(
    text: str,
    file: str,
    columns: Mapping[str, Sequence[str]],
    conditions: Conditions,
    numbers: Sequence[int] | None = None,
) -> Read:
    """The rows, and what is wrong with the text.

    `numbers` are the lines' numbers where these are not 1, 2, 3.
    """
    reader = _Reader(file, columns, conditions)
    reader.read(lines_of(text), numbers or count(1))
    return Read(reader.rows, reader.good, reader.problems)


def row_lines(text: str) -> Iterator[str]:
    """The lines that are rows, as pycasbin is to read them."""
    return (line for line in map(str.strip, lines_of(text)) if line and line[0] != "#")


_PIECE = 1 << 16


def lines_of(text: str) -> Iterator[str]:
    """The lines of a text, a piece at a time: splitting all of it at once would hold up the other threads.

    Only "\n" ends a line, as for pycasbin; str.splitlines would also split at U+2028 and others.
    """
    start = 0
    while (end := text.find("\n", start + _PIECE)) >= 0:
        yield from text[start:end].split("\n")
        start = end + 1
    yield from text[start:].split("\n")


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
