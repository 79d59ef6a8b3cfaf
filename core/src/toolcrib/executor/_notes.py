"""Facts that a tool puts on its outcome record."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from toolcrib.executor._words import writable

__all__ = ["MOST_NOTES", "take_note"]

MOST_NOTES = 64 * 1024
"""Bytes of all notes of one call: a record is evidence, not storage."""

_LONGEST_NAME = 40


def take_note(notes: dict[str, Any], name: str, fact: Any) -> None:
    """Add `fact` to `notes`, which stay JSON data of at most `MOST_NOTES` bytes.

    A tool that notes too much, or what is no JSON, still has a record: it then says how much, or what kind.
    """
    name = writable(str(name))[:_LONGEST_NAME]
    try:
        data = orjson.dumps(fact, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError, RecursionError):
        data = orjson.dumps({"unwritable": type(fact).__name__})
    rest = {key: value for key, value in notes.items() if key != name}
    if len(orjson.dumps(rest)) + len(data) + len(name) > MOST_NOTES:
        data = orjson.dumps({"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)})
        if len(orjson.dumps(rest)) + len(data) + len(name) > MOST_NOTES:
            return
    notes[name] = orjson.loads(data)
