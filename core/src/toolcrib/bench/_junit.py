"""A report of tables as JUnit XML, which every CI system shows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from toolcrib.bench.tables import Report, Result
from toolcrib.policy import Problem

__all__ = ["junit", "legal", "words"]

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> bytes:
    """One suite for each table; a table or case that could not be run is an error."""
    failures, errors = len(report.failures), len(report.problems)
    root = Element("testsuites", name="toolcrib policy test", tests=str(len(report.results) + errors),
                   failures=str(failures), errors=str(errors))  # fmt: skip
    for file in report.files:
        results = [one for one in report.results if one.file == file]
        problems = [one for one in report.problems if one.file == file]
        _suite(root, file, results, problems)
    indent(root)
    data: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _suite(root: Element, file: str, results: list[Result], problems: Iterable[Problem]) -> None:
    broken = list(problems)
    failed = sum(not one.passed for one in results)
    suite = SubElement(root, "testsuite", name=legal(file), tests=str(len(results) + len(broken)),
                       failures=str(failed), errors=str(len(broken)))  # fmt: skip
    for result in results:
        case = _case(suite, result.name, file, result.line)
        if not result.passed:
            message = legal(f"expected {result.expected}; got {result.got}")
            SubElement(case, "failure", message=message, type="policy").text = legal(words(result))
    for problem in broken:
        case = _case(suite, f"line {problem.line}" if problem.line else "the table", file, problem.line)
        text = f"{problem.place}: {problem.what}\nrule: {problem.rule}\nremedy: {problem.remedy}"
        SubElement(case, "error", message=legal(problem.what), type="table").text = legal(text)


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
