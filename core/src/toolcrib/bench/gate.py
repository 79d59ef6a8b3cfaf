"""What a changed policy must pass before it is put in force: lint without errors, and its own tests.

Tools that are frozen (see `toolcrib.bench.edit`) are an exception that only takes away: where tests fail,
they are run once more without the frozen rows, so that tests, which say what a policy allows in ordinary
times, cannot keep a brake from working.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolcrib.bench.edit import without_frozen
from toolcrib.bench.lint import lint_text
from toolcrib.bench.tables import Report, run
from toolcrib.policy import Governed, Policy, Texts

__all__ = ["objections"]

TESTS = "tests"


def objections(texts: Texts, policy: Policy, tools: Sequence[Governed]) -> list[str]:
    """What speaks against putting `policy`, loaded from `texts`, in force; empty if nothing does."""
    return [*_lint(texts, tools), *_tests(texts, policy, tools)]


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
