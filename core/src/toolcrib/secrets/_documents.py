"""The texts of a JSON-compatible document, and the document with other texts in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["rebuilt", "texts"]


def texts(value: Any) -> Iterator[str]:
    """Keys, strings and numbers (a secret may be all digits), in the order that `rebuilt` takes them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            if _is_text(key):
                yield str(key)
            yield from texts(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from texts(entry)
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "surrogateescape")
    elif _is_text(value):
        yield str(value)


def rebuilt(value: Any, cleaned: Iterator[str | None]) -> Any:
    """The document with each text replaced by the next of `cleaned`; where that is None, as it was.

    Two keys that become equal are told apart by a number.
    """
    if isinstance(value, Mapping):
        return _mapping(value, cleaned)
    if isinstance(value, list | tuple):
        return [rebuilt(entry, cleaned) for entry in value]
    if isinstance(value, bytes):
        text = next(cleaned)
        return value if text is None else text.encode("utf-8", "surrogateescape")
    if _is_text(value):
        text = next(cleaned)
        return value if text is None else text
    return value


def _mapping(value: Mapping[Any, Any], cleaned: Iterator[str | None]) -> dict[Any, Any]:
    out: dict[Any, Any] = {}
    for key, entry in value.items():
        text = next(cleaned) if _is_text(key) else None
        name = base = key if text is None else text
        number = 2
        while name in out:
            name, number = f"{base}#{number}", number + 1
        out[name] = rebuilt(entry, cleaned)
    return out


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
