"""What kind of file it is, by its bytes: a name can say anything."""

from __future__ import annotations

import json
import re

__all__ = ["is_image", "media_type_of"]

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)
# Atomic and possessive: a thousand comments in front must not be tried in every combination. A document type
# with a body of its own could define entities, so it is not taken for a picture.
_SVG = re.compile(
    r"\s*+(?:<\?xml[^>]*\?>\s*+)?+(?><!--.*?-->\s*+)*+(?:<!DOCTYPE\s+svg[^>\[]*>\s*+)?+<svg[\s>/]", re.DOTALL
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_LOOKED_AT, _JSON_CHARACTERS, _CSV_LINES = 4096, 1 << 20, 20


def media_type_of(data: bytes) -> str:
    """PNG, JPEG, GIF, SVG, PDF, ZIP, GZIP, JSON, CSV or plain text, else `application/octet-stream`.

    Text is UTF-8 without control characters. It says what a reader would take it for, not that it is sound.
    """
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "application/octet-stream"
    if _CONTROL.search(text):
        return "application/octet-stream"
    if _SVG.match(text[:_LOOKED_AT]):
        return "image/svg+xml"
    if _is_json(text):
        return "application/json"
    return "text/csv" if _is_csv(text) else "text/plain"


def is_image(media_type: str) -> bool:
    """Whether it can be shown as a picture."""
    return media_type.startswith("image/")


def _is_json(text: str) -> bool:
    """An object or a list; a bare number is text."""
    if text.lstrip()[:1] not in ("{", "[") or len(text) > _JSON_CHARACTERS:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_csv(text: str) -> bool:
    """At least two lines, and the first ones have as many commas (or tabs, or semicolons) each, some."""
    lines = [line for line in text[: 1 << 16].splitlines()[:_CSV_LINES] if line.strip()]
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines]
    return len(bare) >= 2 and any(
        bare[0].count(mark) > 0 and len({line.count(mark) for line in bare}) == 1 for mark in ",;\t"
    )
