"""What a changed policy must pass before it is put in force: lint without errors, and its own tests.

Tools that are frozen (see `toolcrib.bench.edit`) are an exception that only takes away: where tests fail,
they are run once more without the frozen rows, so that tests, which say what a policy allows in ordinary
times, cannot keep a brake from working.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from toolcrib.bench.edit import without_frozen
from toolcrib.bench.lint import Finding, lint
from toolcrib.bench.tables import Report, run
from toolcrib.policy import Governed, Policy, Texts

__all__ = ["gate", "objections"]

TESTS = "tests"


def gate(tools: Callable[[], Iterable[Governed]]) -> Callable[[Texts, Policy], list[str]]:
    """A gate for `PolicySource`; `tools` gives the installed tools of that moment."""
    return lambda texts, policy: objections(texts, policy, list(tools()))


def objections(texts: Texts, policy: Policy, tools: Sequence[Governed]) -> list[str]:
    """What speaks against putting `policy`, loaded from `texts`, in force; empty if nothing does."""
    return [*_lint(texts, tools), *_tests(texts, policy, tools)]


def _lint(texts: Texts, tools: Sequence[Governed]) -> list[str]:
    """Lint reads a folder; it gets one with the very texts that were loaded, whatever was written since."""
    with tempfile.TemporaryDirectory(prefix="toolcrib-gate-") as name:
        folder = Path(name)
        replace(texts, numbers=None).write_to(folder)
        found = [one for one in lint(folder, tools) if one.severity == "error"]
    return [f"{_place(one, texts)}: {one.what}. {one.remedy}" for one in found]


def _place(finding: Finding, texts: Texts) -> str:
    name = Path(finding.file).name
    if name != "policy.csv" or not finding.line:
        return ":".join([name, *(str(number) for number in (finding.line, finding.column) if number)])
    line = texts.numbers[finding.line - 1] if texts.numbers else finding.line
    return f"{texts.file}:{line}"


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
