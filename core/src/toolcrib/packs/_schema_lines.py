"""A JSON schema as sorted lines, one fact each: what the lock keeps, git compares and a reviewer reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["schema_lines"]

_as_json = json.JSONEncoder(ensure_ascii=False).encode  # made once: json.dumps would make one for each fact
_PLAIN = re.compile(r"[A-Za-z0-9_$-]+")


def schema_lines(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Such as `properties.limit.maximum = 100`. Two schemas have the same lines only if they are the same."""
    return tuple(sorted(_lines("", schema)))


def _lines(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            step = key if _PLAIN.fullmatch(key) else json.dumps(key)
            yield from _lines(f"{path}.{step}" if path else step, inner)
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        for place, inner in enumerate(value):
            yield from _lines(f"{path}[{place}]", inner)
    else:
        yield f"{path} = {_as_json(value)}"
