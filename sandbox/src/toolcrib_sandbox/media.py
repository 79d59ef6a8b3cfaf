"""What kind of file it is, by its bytes: a name can say anything."""

from __future__ import annotations

import json
import re

__all__ = ["media_type"]

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))
_SVG = re.compile(
    r"\A\ufeff?\s*(<\?xml[^>]{0,200}\?>\s*)?(<!--.{0,2000}?-->\s*)*"
    r"(<!DOCTYPE svg[^>\[]{0,300}>\s*)?<svg[\s>]",
    re.S,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_JSON_BYTES = 1 << 20


def media_type(data: bytes) -> str:
    """PNG, JPEG, SVG, JSON, CSV or plain text, else `application/octet-stream`."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "application/octet-stream"
    if _CONTROL.search(text):
        return "application/octet-stream"
    if _SVG.match(text[:4096]):
        return "image/svg+xml"
    if _is_json(text):
        return "application/json"
    return "text/csv" if _is_csv(text) else "text/plain"


def _is_json(text: str) -> bool:
    """An object or a list; a bare number is text."""
    if text.lstrip()[:1] not in ("{", "[") or len(text) > _JSON_BYTES:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_csv(text: str) -> bool:
    """At least two lines, and the first ones have as many commas (or tabs, or semicolons) each, some."""
    lines = [re.sub(r'"[^"]*"', "", line) for line in text.splitlines()[:20] if line.strip()]
    return len(lines) >= 2 and any(
        lines[0].count(mark) > 0 and len({line.count(mark) for line in lines}) == 1 for mark in ",;\t"
    )
