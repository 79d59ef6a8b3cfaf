"""From Vault's documents to the text that a tool gets, and to the time at which it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from toolcrib._nearest import nearest
from toolcrib.errors import SecretError, SecretNotFound

__all__ = ["ends_at", "server_time", "value_of", "with_value"]


def value_of(data: Any, key: str | None, path: str) -> str:
    """One key's value, the only key's value, or the whole document as JSON with sorted keys.

    Text comes as it is, anything else as JSON. Vault keeps JSON, so a binary value is there in whatever text
    form its writer chose (base64, mostly), and comes in that form.
    """
    if not isinstance(data, Mapping) or not data:
        raise SecretNotFound(f"the secret at {path!r} has no keys", remedy="Write at least one key there")
    if key is None:
        return _text(next(iter(data.values())) if len(data) == 1 else dict(data), path)
    if key not in data:
        near = nearest(key, map(str, data))
        raise SecretNotFound(
            f"the secret at {path!r} has no key {key!r}",
            rule="path#key takes one key of what lies at the path",
            remedy=f"Did you mean {near!r}?" if near else f"It has {len(data)} other keys",
        )
    return _text(data[key], path)


def with_value(data: Mapping[str, Any], key: str | None, value: str, path: str) -> dict[str, Any]:
    """The document in which `value_of` finds `value`; the keys that it does not speak of stay."""
    if key is not None or len(data) == 1:
        return {**data, key or next(iter(data)): value}
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise SecretError(
            f"the secret at {path!r} is a document of {len(data)} keys, and its successor is none",
            remedy="Name the key in the config: path#key",
        )
    return document


def _text(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        # An integer of more than 64 bits, or text that UTF-8 cannot hold. The error would quote it.
        raise SecretError(
            f"the secret at {path!r} is no plain JSON", remedy="Store it as text, and take it with #key"
        ) from None


def ends_at(metadata: Mapping[str, Any], server: float | None) -> float | None:
    """When a version that Vault will delete by itself ends, by this host's clock; None for one that stays.

    The time is the server's. What counts is how far it is from the server's own now (the reply's Date), so a
    difference of the two clocks does not lengthen the value's life.
    """
    try:
        then = datetime.fromisoformat(str(metadata.get("deletion_time") or "")).timestamp()
    except ValueError:
        return None
    now = time.time()
    return now + then - (now if server is None else server)


def server_time(header: str | None) -> float | None:
    """The server's clock, from the Date of its reply."""
    try:
        return parsedate_to_datetime(header or "").timestamp()
    except ValueError:
        return None
