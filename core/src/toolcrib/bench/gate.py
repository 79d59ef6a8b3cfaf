"""What a changed policy must pass before it is put in force: lint without errors, its own tests, and the
properties in its folder.

Tools that are frozen (see `toolcrib.bench.edit`) are an exception that only takes away: where tests fail,
they are run once more without the frozen rows, so that tests, which say what a policy allows in ordinary
times, cannot keep a brake from working. Properties need no such exception: a deny row violates none.

Tests or properties that were in force and are gone let no change through either, but for a brake.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from toolcrib.bench.check import Finding, check, read_properties
from toolcrib.bench.edit import without_frozen
from toolcrib.bench.lint import lint_text
from toolcrib.bench.tables import Report, run
from toolcrib.errors import PolicyError
from toolcrib.policy import Governed, History, Policy, Texts
from toolcrib.policy._guards import PROPERTIES, TESTS, says_none

__all__ = ["lost_guards", "objections", "violations"]


def objections(texts: Texts, policy: Policy, tools: Sequence[Governed], tenant: str = "") -> list[str]:
    """What speaks against putting `policy`, loaded from `texts`, in force; empty if nothing does.

    `tenant` is the crib's, in which properties are checked besides those that rows name.
    """
    return [
        *_lint(texts, tools),
        *_tests(texts, policy, tools),
        *violations(texts, policy, tools, tenant),
    ]


def lost_guards(history: History, texts: Texts, folder: Path) -> list[str]:
    """The tests and properties that were in force here and are gone from `folder`, where `texts` are to be
    in force; empty if these differ from what was in force last in frozen rows alone.

    Texts that come with tests of their own (`texts.folder`) are not asked for those in `folder`.
    """
    found = history.lost(folder, tests=texts.folder == folder)
    last = history.last() if found else None
    if last is not None and (last.model, _thawed(last)) == (texts.model, _thawed(texts)):
        return []
    return found


def _thawed(texts: Texts) -> list[str]:
    lines = (line.strip() for line in without_frozen(texts.rows).split("\n"))
    return [line for line in lines if line and line[0] != "#"]


def _lint(texts: Texts, tools: Sequence[Governed]) -> list[str]:
    """Of the very texts that were loaded, whatever was written since."""
    found = lint_text(texts.model, texts.rows, tools, file=texts.file, numbers=texts.numbers)
    return [f"{one.place}: {one.what}. {one.remedy}" for one in found if one.severity == "error"]


def _tests(texts: Texts, policy: Policy, tools: Sequence[Governed]) -> list[str]:
    if texts.folder is None or not (texts.folder / TESTS).is_dir():
        return []
    report = run(texts.folder / TESTS, policy, tools)
    if not report.passed and (thawed := without_frozen(texts.rows)) != texts.rows:
        report = run(texts.folder / TESTS, Policy.of(texts.model, thawed), tools)
    return _failures(report)


def _failures(report: Report) -> list[str]:
    problems = [f"{one.place}: {one.what}" for one in report.problems]
    failed = [
        f"{Path(one.file).name}:{one.line}: {one.name}: expected {one.expected}, got {one.got}"
        for one in report.failures
    ]
    return problems + failed


def violations(texts: Texts, policy: Policy, tools: Sequence[Governed], tenant: str = "") -> list[str]:
    """The properties in the texts' folder that do not hold. A file that cannot be read, or cannot be checked,
    objects too: it would hold nothing; only `property = []` says that there are none.
    """
    if texts.folder is None or not os.path.lexists(file := texts.folder / PROPERTIES):
        return []
    try:
        if says_none(file):
            return []
        found = check(policy, read_properties(file), tools, tenant)
    except PolicyError as error:
        return [str(error)]
    return [_violated(one) for one in found.findings if not one.holds]


def _violated(one: Finding) -> str:
    first = one.witnesses[0]
    rows = "; ".join(str(row) for row in first.rows)
    return f"{PROPERTIES}: {one.about.name!r} is violated: {first.says} (tenant {first.tenant}): {rows}"
