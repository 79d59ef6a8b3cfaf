"""What one record may hold, and its canonical bytes.

Canonical means: UTF-8 JSON as orjson writes it, keys sorted, no blanks. Equal records have equal bytes, so
the chain can be checked on the bytes as they stand in the file, and nothing that a parser would forgive can
hide in them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from toolcrib.errors import AuditError

__all__ = ["MAX_RECORD", "RESERVED", "Encoded", "canonical", "encode"]

RESERVED = frozenset({"hash", "prev", "segment", "seq", "ts", "v", "writer"})
"""The log's own fields: readers put them beside the caller's, so a caller may not use them."""

MAX_RECORD = 4 * 1024 * 1024
"""Bytes. A record is evidence, not storage: results belong into artifacts, of which the record keeps the
digest.
"""

_STRICT = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_JSON = "a record holds JSON only: text, finite numbers, true, false, null, lists, objects with text keys"


def canonical(value: Any) -> bytes:
    """The one way to write `value` as JSON; `AuditError` where it is not JSON or holds NaN or infinity."""
    try:
        data = orjson.dumps(value, option=_STRICT)
    except TypeError as error:
        raise _refused(str(error), _JSON) from None
    # orjson writes NaN and infinity as null, which would change the story silently; only then is a walk worth
    # its time.
    if b"null" in data and not _finite(value):
        raise _refused("it holds NaN or infinity", _JSON)
    return data


class Encoded(dict[str, Any]):
    """A record together with `data`, its canonical bytes: whoever has searched these appends it, so that what
    is written is what was searched. The log takes the bytes as they are; a later change of the record is not
    written.
    """

    __slots__ = ("data",)

    data: bytes


def encode(record: Mapping[str, Any]) -> bytes:
    """A caller's record as canonical bytes; `AuditError` where it may not stand in the log."""
    if type(record) is Encoded:
        return record.data
    data = canonical(record if type(record) is dict else dict(record))
    if not RESERVED.isdisjoint(record):
        clash = ", ".join(sorted(RESERVED & record.keys()))
        raise _refused(f"it uses {clash}", f"{', '.join(sorted(RESERVED))} belong to the log")
    kind = record.get("kind")
    if not kind or kind == "log" or not isinstance(kind, str):
        raise _refused(
            f"its kind is {kind!r}", "a record names its kind; 'log' is the log speaking of itself"
        )
    if len(data) > MAX_RECORD:
        raise _refused(f"it has {len(data):,} bytes", f"a record has at most {MAX_RECORD:,} bytes")
    return data


def _refused(why: str, rule: str) -> AuditError:
    return AuditError(
        f"audit record refused: {why}",
        rule=rule,
        remedy="Nothing was written; mend the record and append it again",
    )


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    return True
