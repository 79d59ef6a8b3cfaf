"""A report of tables as JUnit XML, which every CI system shows."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from toolcrib.bench.tables import CaseProblem, Report, Result

__all__ = ["junit", "legal", "words"]

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report, fail_under: float | None = None) -> bytes:
    """One suite for each table; a table or case that could not be run is an error.

    With `fail_under`, the per cent of rows that cases must exercise, there is a case `coverage`.
    """
    wanted = fail_under is not None
    too_few = fail_under is not None and report.coverage < fail_under
    failures, errors = len(report.failures) + too_few, len(report.problems)
    tests = len(report.results) + errors + wanted
    root = Element("testsuites", name="toolcrib policy test", tests=str(tests),
                   failures=str(failures), errors=str(errors))  # fmt: skip
    for file in report.files:
        results = [one for one in report.results if one.file == file]
        problems = [one for one in report.problems if one.file == file]
        _suite(root, file, results, problems)
    if fail_under is not None:
        _coverage(root, report, fail_under)
    indent(root)
    data: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _coverage(root: Element, report: Report, wanted: float) -> None:
    too_few = report.coverage < wanted
    suite = SubElement(root, "testsuite", name="coverage", tests="1", failures=str(int(too_few)), errors="0")
    case = SubElement(suite, "testcase", name="coverage", classname="coverage", time="0")
    if too_few:
        message = f"{int(report.coverage * 10) / 10:g} % of the rows exercised, wanted {wanted:g} %"
        missed = "\n".join(f"no case exercises {row}" for row in report.missed)
        SubElement(case, "failure", message=message, type="coverage").text = legal(missed)


def _suite(root: Element, file: str, results: list[Result], broken: list[CaseProblem]) -> None:
    failed = sum(not one.passed for one in results)
    suite = SubElement(root, "testsuite", name=legal(file), tests=str(len(results) + len(broken)),
                       failures=str(failed), errors=str(len(broken)))  # fmt: skip
    for result in results:
        case = _case(suite, result.name, file, result.line)
        if not result.passed:
            message = legal(f"expected {result.expected}; got {result.got}")
            SubElement(case, "failure", message=message, type="policy").text = legal(words(result))
    names = {result.name for result in results}
    for problem in broken:
        case = _case(suite, _name(problem, names), file, problem.line)
        text = f"{problem.place}: {problem.what}\nrule: {problem.rule}\nremedy: {problem.remedy}"
        SubElement(case, "error", message=legal(problem.what), type="table").text = legal(text)


def _name(problem: CaseProblem, taken: set[str]) -> str:
    """The case's own name, so that it is the same case once it runs; two of one name are told apart."""
    name = problem.case
    if not name:
        return f"line {problem.line}" if problem.line else "the table"
    if name in taken:
        return f"{name} (line {problem.line})"
    taken.add(name)
    return name


def _case(suite: Element, name: str, file: str, line: int) -> Element:
    return SubElement(suite, "testcase", name=legal(name), classname=legal(file), file=legal(file),
                      line=str(line), time="0")  # fmt: skip


def words(result: Result) -> str:
    """A failed case in lines: place, expected, got, why, and the rows that could have mattered."""
    lines = [
        f"{result.place}: {result.name}",
        f"expected  {result.expected}",
        f"got       {result.got}",
        f"why       {result.why}",
    ]
    lines += [f"  {one.row} {one.outcome}{f': {one.why}' if one.why else ''}" for one in result.considered]
    return "\n".join(lines)


def legal(text: str) -> str:
    """Text without what XML 1.0 cannot hold."""
    return _ILLEGAL.sub("�", text)
