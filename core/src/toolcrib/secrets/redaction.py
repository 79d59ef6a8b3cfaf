"""Takes secret values out of what goes to models, logs and people.

Every value that was handed out in this process is looked for, as it is and as the usual encodings write it:
JSON and Python escapes, URL quoting, base64 at every alignment (so also inside `Basic` credentials). A value
that is a JSON document counts as its leaves as well, because a pack parses it and uses them one by one.

What this cannot do: a value that was split, compressed, hashed or encoded in another way passes. Values
shorter than `SHORTEST` would take ordinary words along, so they are left alone, with a warning.
"""

from __future__ import annotations

import html
import json
import re
import threading
import warnings
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from toolcrib.errors import ToolcribWarning
from toolcrib.secrets._secret import Secret

__all__ = ["SHORTEST", "Redactor"]

SHORTEST = 6
"""Characters below which a value is not looked for."""

SHORTEST_BASE64 = 8
"""Characters below which a piece of base64 is not looked for: it would match by chance."""


class _Matcher:
    """One immutable state of a redactor: what to look for, and what to write instead.

    Each variant is looked for by `str.find`: for the dozens of values that one process hands out this is
    faster than one regular expression of all of them, and costs nothing to build anew.
    """

    __slots__ = ("_labels",)

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels

    def replace(self, text: str) -> str:
        """`text` with every match replaced; matches that overlap go together, under the first one's label."""
        found = sorted(self._matches(text))
        if not found:
            return text
        out: list[str] = []
        written = 0  # up to where `text` is dealt with
        for start, negative_end, label in found:
            if start >= written:
                out += (text[written:start], label)
            written = max(written, -negative_end)
        return "".join((*out, text[written:]))

    def _matches(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Start, negative end (so that sorting puts the longest first) and label of every match."""
        for variant, label in self._labels.items():
            start = text.find(variant)
            while start >= 0:
                yield start, -start - len(variant), label
                start = text.find(variant, start + 1)


class Redactor:
    """Replaces each learned value by `[secret:PATH]`; safe in threads, one check while nothing is learned."""

    def __init__(self) -> None:
        self._matcher: _Matcher | None = None
        self._labels: dict[str, str] = {}
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def learn(self, secret: Secret) -> None:
        """Look for this value from now on; `ToolcribWarning` where it is too short to be looked for."""
        value = secret.reveal()
        if value in self._known:
            return
        with self._lock:
            self._known.add(value)
            labels = dict(self._labels)
            for part in _parts(value):
                for variant in _variants(part):
                    labels.setdefault(variant, f"[secret:{secret.path}]")
            self._labels = labels
            self._matcher = _Matcher(labels) if labels else None
        if len(value) < SHORTEST:
            _warn_short(secret.path)

    @property
    def active(self) -> bool:
        """Whether there is anything to look for."""
        return self._matcher is not None

    def clean(self, text: str) -> str:
        """`text` without the values."""
        matcher = self._matcher
        return text if matcher is None else matcher.replace(text)

    def clean_bytes(self, data: bytes) -> bytes:
        """The same for bytes; those that are not UTF-8 stay as they are."""
        matcher = self._matcher
        if matcher is None:
            return data
        return matcher.replace(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def clean_value(self, value: Any) -> Any:
        """A JSON-compatible value without the values, in its keys too; the value itself while nothing is
        learned.

        Two keys that become equal are told apart by a number, so that no entry is lost.
        """
        return value if self._matcher is None else self._walk(value)

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list | tuple):
            return [self._walk(entry) for entry in value]
        if isinstance(value, bytes):
            return self.clean_bytes(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            text = str(value)  # a secret may be all digits
            cleaned = self.clean(text)
            return value if cleaned == text else cleaned
        return value

    def _mapping(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        cleaned: dict[Any, Any] = {}
        for key, entry in value.items():
            name = base = self._walk(key) if isinstance(key, str | int | float) else key
            number = 2
            while name in cleaned:
                name, number = f"{base}#{number}", number + 1
            cleaned[name] = self._walk(entry)
        return cleaned


def _warn_short(path: str) -> None:
    warnings.warn(
        ToolcribWarning(
            f"the secret at {path!r} has fewer than {SHORTEST} characters, so it is not redacted;"
            " use a longer one"
        ),
        stacklevel=3,
    )


def _parts(value: str) -> Iterator[str]:
    """The value, and where it is a JSON document, the texts and numbers in it."""
    yield value
    if value.lstrip()[:1] in ("{", "["):
        try:
            yield from _leaves(json.loads(value))
        except (ValueError, RecursionError):
            return


def _leaves(document: Any) -> Iterator[str]:
    if isinstance(document, dict | list):
        for entry in document.values() if isinstance(document, dict) else document:
            yield from _leaves(entry)
    elif document is not None and not isinstance(document, bool):
        yield str(document)


def _variants(value: str) -> Iterator[str]:
    """The value and its usual encodings, as far as they are long enough to look for."""
    if len(value) < SHORTEST:
        return
    escaped = json.dumps(value)[1:-1]
    yield from (value, escaped, json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1])
    yield from (escaped.replace("/", "\\/"), html.escape(value), html.escape(value, quote=False))
    keep = {"errors": "surrogatepass"}  # a JSON document may hold half a surrogate pair
    for quoted in (quote(value, safe="", **keep), quote(value, **keep), quote_plus(value, **keep)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)
    yield from _base64(value.encode("utf-8", "surrogatepass"))


def _base64(data: bytes) -> Iterator[str]:
    """What base64 writes for `data` wherever it stands: the characters that depend on it alone."""
    for before in range(3):
        text = b64encode(b"\0" * before + data).decode()
        whole = text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        for piece in (text, whole) if before == 0 else (whole,):
            if len(piece) >= SHORTEST_BASE64:
                yield piece
                yield piece.replace("+", "-").replace("/", "_")
