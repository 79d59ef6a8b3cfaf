"""Findings as SARIF 2.1.0, which code hosts show beside the line (OASIS, sarif-v2.1.0-os)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from toolcrib.bench._findings import RULES, Finding

__all__ = ["sarif"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PLACES = {id: index for index, id in enumerate(RULES)}


def sarif(findings: Iterable[Finding]) -> dict[str, Any]:
    """One run with all rules, and these findings as its results."""
    driver = {
        "name": "toolcrib policy lint",
        "semanticVersion": metadata.version("toolcrib"),
        "rules": [
            {
                "id": rule.id,
                "name": "".join(part.capitalize() for part in rule.name.split("-")),
                "shortDescription": {"text": _sentence(rule.rule)},
                "defaultConfiguration": {"level": rule.severity},
            }
            for rule in RULES.values()
        ],
    }
    results = [_result(finding) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding) -> dict[str, Any]:
    # A line number is no part of the fingerprint: rows above come and go, and the finding is the same.
    known_by = "\0".join((finding.id, finding.file, finding.what)).encode()
    text = " ".join(map(_sentence, (finding.what, finding.rule, finding.remedy)))
    # Whole-file findings are shown at its first line: code hosts drop results without one.
    region = {"startLine": finding.line or 1, "startColumn": finding.column or 1}
    place = {"artifactLocation": _artifact(finding.file), "region": region}
    return {
        "ruleId": finding.id,
        "ruleIndex": _PLACES[finding.id],
        "level": finding.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"toolcrib/v1": hashlib.sha256(known_by).hexdigest()[:16]},
    }


def _artifact(file: str) -> dict[str, str]:
    path = Path(file)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix()), "uriBaseId": "%SRCROOT%"}


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
