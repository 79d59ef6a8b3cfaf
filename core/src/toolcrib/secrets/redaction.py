"""Takes secret values out of what goes to models, logs and people.

Every value that was handed out in this process is looked for, as it is and as the usual encodings write it:
JSON and Python escapes, URL quoting (also twice), HTML, hex, base32, base64 at every alignment (so also
inside `Basic` credentials), in either case, wrapped over lines, indented, or cut over the entries of a list.
A value that is a JSON document counts as its leaves as well, because a pack parses it and uses them one by
one. Of a long value, such as a private key, a fragment of a line counts too.

What this cannot do: a value that was compressed, hashed, encrypted, reversed or encoded in another way
passes, and so does a fragment of a short one. Values shorter than `SHORTEST` would take ordinary words along,
so they are left alone, with a warning.

A value stays known after it expired or was rotated: logs and vendors still speak of it. Of more than
`MOST_KNOWN` values those that were handed out longest ago are forgotten, which keeps a process that fetches
short-lived credentials for weeks at a bounded size.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import orjson

from toolcrib.errors import ToolcribWarning
from toolcrib.secrets._documents import rebuilt, texts
from toolcrib.secrets._encodings import SHORTEST
from toolcrib.secrets._fold import BORDER
from toolcrib.secrets._known import MOST_KNOWN, Known
from toolcrib.secrets._matcher import Found, merged
from toolcrib.secrets._secret import Secret

__all__ = ["MOST_KNOWN", "SHORTEST", "Redactor"]


class Redactor:
    """Replaces each learned value by `[secret:PATH]`, and what looks like a token by `[token:KIND]`.

    Safe in threads. With `shapes=False` tokens are left alone, and while nothing is learned every method
    costs one check.
    """

    def __init__(self, *, shapes: bool = True) -> None:
        self._known = Known(shapes=shapes)

    def learn(self, secret: Secret) -> None:
        """Look for this value from now on; `ToolcribWarning` where it is too short to be looked for."""
        value = secret.reveal()
        if self._known.learn(value, f"[secret:{secret.path}]") and len(value) < SHORTEST:
            _warn_short(secret.path)

    @property
    def active(self) -> bool:
        """Whether there is anything to look for."""
        return self._known.active

    def clean(self, text: str) -> str:
        """`text` without the values."""
        if not self._known.active:
            return text
        data = text.encode("utf-8", "surrogatepass")
        found = self._known.search(data)
        if not found:
            return text
        if text.isascii():
            return _replaced_ascii(text, found)
        return _replaced(data, found).decode("utf-8", "surrogatepass")

    def clean_chunk(self, before: str, chunk: str) -> str:
        """`chunk` without the values, their parts that follow on `before`, and a beginning of one at its end.

        `before` was handed on already; a value that began in it is cut from where `chunk` begins.
        """
        if not self._known.active:
            return chunk
        pieces = [text.encode("utf-8", "surrogatepass") for text in (before, chunk)]
        found = self._known.search(BORDER.join(pieces))
        if cut := self._known.beginning(pieces[1]):
            start, end = len(pieces[0]) + len(BORDER) + cut[0], sum(map(len, pieces)) + len(BORDER)
            found = merged([*found, (start, end, cut[1])])
        cleaned = list(_split(pieces, found))[1]
        return chunk if cleaned is None else cleaned

    def clean_bytes(self, data: bytes) -> bytes:
        """The same for bytes; those that are not UTF-8 stay as they are."""
        found = self._known.search(data) if self._known.active else ()
        return _replaced(data, found) if found else data

    def clean_value(self, value: Any, data: bytes | None = None) -> Any:
        """A JSON-compatible value without the values, in its keys and numbers too; the value itself where it
        holds none.

        Two keys that become equal are told apart by a number, so that no entry is lost. `data` is `value` as
        JSON, from whoever has that at hand: most values hold nothing, which its bytes show.
        """
        if not self._known.active or not self._suspect(value, data):
            return value
        pieces = [piece.encode("utf-8", "surrogatepass") for piece in texts(value)]
        found = self._known.search(BORDER.join(pieces))
        if not found:
            return value
        return rebuilt(value, iter(list(_split(pieces, found))))

    def _suspect(self, value: Any, data: bytes | None) -> bool:
        """False where one look at the value as JSON shows that it holds nothing."""
        try:
            data = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS) if data is None else data
        except (TypeError, ValueError, RecursionError):
            return True
        # What JSON escapes (quotes, line breaks) stands otherwise in the texts: look at these.
        return b"\\" in data or self._known.suspect(data)


def _replaced(data: bytes, found: list[Found]) -> bytes:
    out: list[bytes] = []
    written = 0
    for start, end, label in found:
        out += (data[written:start], label.encode())
        written = end
    return b"".join((*out, data[written:]))


def _replaced_ascii(text: str, found: list[Found]) -> str:
    """The same where characters are bytes, which saves two copies."""
    out: list[str] = []
    written = 0
    for start, end, label in found:
        out += (text[written:start], label)
        written = end
    return "".join((*out, text[written:]))


def _split(pieces: list[bytes], found: list[Found]) -> Iterator[str | None]:
    """Each piece as text, cleaned, or None where it stays; a find over several pieces is cut from each."""
    start, current = 0, 0
    for piece in pieces:
        end = start + len(piece)
        inside: list[Found] = []
        while current < len(found) and found[current][0] < end:
            first, last, label = found[current]
            if last > start:
                inside.append((max(first, start) - start, min(last, end) - start, label))
            if last > end:
                break
            current += 1
        yield _replaced(piece, inside).decode("utf-8", "surrogatepass") if inside else None
        start = end + len(BORDER)


def _warn_short(path: str) -> None:
    warnings.warn(
        ToolcribWarning(
            f"the secret at {path!r} has fewer than {SHORTEST} characters, so it is not redacted;"
            " use a longer one"
        ),
        stacklevel=3,
    )
