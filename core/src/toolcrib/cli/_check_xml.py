"""What came of packs' checks as JUnit XML, which every CI system shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from toolcrib.bench._junit import legal

if TYPE_CHECKING:
    from toolcrib.testing._pack_outcome import Outcome

__all__ = ["junit"]


def junit(reports: Mapping[str, Sequence[Outcome]]) -> bytes:
    """One suite for each pack, one case for each check."""
    every = [one for outcomes in reports.values() for one in outcomes]
    root = Element("testsuites", {"name": "toolcrib packs check", **_counts(every)})
    for pack, outcomes in reports.items():
        suite = SubElement(root, "testsuite", {"name": legal(pack), **_counts(outcomes)})
        for one in outcomes:
            _case(suite, pack, one)
    indent(root)
    data: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    failed, skipped = (sum(one.status == status for one in outcomes) for status in ("failed", "skipped"))
    return {"tests": str(len(outcomes)), "failures": str(failed), "errors": "0", "skipped": str(skipped)}


def _case(suite: Element, pack: str, one: Outcome) -> None:
    case = SubElement(suite, "testcase", name=legal(one.check), classname=legal(pack), time="0")
    if one.status == "failed":
        text = "\n".join((*one.problems, f"Mend: {one.remedy}" if one.remedy else ""))
        message = legal(one.problems[0]) if one.problems else ""
        SubElement(case, "failure", message=message, type="conformance").text = legal(text)
    elif one.status == "skipped":
        SubElement(case, "skipped", message=legal(one.reason))
