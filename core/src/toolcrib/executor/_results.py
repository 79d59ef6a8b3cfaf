"""From what a tool returned to what is handed back: JSON, without secrets, of a bounded size."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from toolcrib.secrets import Redactor

__all__ = ["Handover", "Unserialisable", "pack_up"]


class Unserialisable(Exception):
    """The tool ran, but what it returned has no JSON form."""


class Handover(NamedTuple):
    """A result ready to hand over; `whole` is set when it must become an artifact first."""

    value: Any
    text: str
    digest: str
    whole: bytes | None = None


def pack_up(value: Any, redactor: Redactor, limit: int) -> Handover:
    """`value` as JSON-compatible data and text; over `limit` bytes the text is cut and the value left out.

    Raises `Unserialisable` for what neither JSON, dataclasses nor pydantic know.
    """
    try:
        data = orjson.dumps(value, default=_by_pydantic, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unserialisable(f"{type(value).__name__}: {error}") from error
    plain = value if type(value) in (int, bool, type(None)) else orjson.loads(data)
    cleaned = redactor.clean_value(plain, data)
    if cleaned is not plain:
        plain, data = cleaned, orjson.dumps(cleaned)
    digest = hashlib.sha256(data).hexdigest()
    text = plain if isinstance(plain, str) else data.decode()
    if len(data) <= limit:
        return Handover(plain, text, digest)
    return Handover(None, text.encode()[:limit].decode(errors="ignore"), digest, data)


def _by_pydantic(value: Any) -> Any:
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)
