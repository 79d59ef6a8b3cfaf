"""Takes secret values out of what goes to models, logs and people.

Every value that was handed out in this process is looked for, as it is and as the usual encodings write it:
JSON and Python escapes, URL quoting (also twice), HTML, hex, base32, base64 at every alignment (so also
inside `Basic` credentials), in either case, wrapped over lines, indented, or cut over the entries of a list.
A value that is a JSON document counts as its leaves as well, because a pack parses it and uses them one by
one. Of a long value, such as a private key, a fragment of a line counts too.

What this cannot do: a value that was compressed, hashed, encrypted, reversed or encoded in another way
passes, and so does a fragment of a short one. Values shorter than `SHORTEST`, also those of a document, would
take ordinary words along, so they are left alone, with a warning.

A value stays known after it expired or was rotated: logs and vendors still speak of it. Of more than
`MOST_KNOWN` values those that were handed out longest ago are forgotten, which keeps a process that fetches
short-lived credentials for weeks at a bounded size.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from toolcrib.errors import ToolcribWarning
from toolcrib.secrets._documents import rebuilt, texts
from toolcrib.secrets._encodings import SHORTEST, too_short
from toolcrib.secrets._fold import BORDER
from toolcrib.secrets._known import MOST_KNOWN, Known
from toolcrib.secrets._matcher import Found, merged
from toolcrib.secrets._secret import Secret

__all__ = ["MOST_KNOWN", "SHORTEST", "Piece", "Redactor", "told_short", "too_short"]

MOST_TOLD = 4096
"""Short fields that are remembered as told."""

MOST_NAMED = 8
"""Short fields that one warning names."""


class Piece(NamedTuple):
    """What of a stream can be `told` now, the bytes that are `held` back, and the `raw` ones before these; of
    them, those from `since` on may belong to what comes next.
    """

    told: str
    held: bytes
    raw: bytes
    since: int


class Redactor:
    """Replaces each learned value by `[secret:PATH]`, and what looks like a token by `[token:KIND]`.

    Safe in threads. With `shapes=False` tokens are left alone, and while nothing is learned every method
    costs one check.
    """

    def __init__(self, *, shapes: bool = True) -> None:
        self._known = Known(shapes=shapes)
        self._told: set[tuple[str, str]] = set()

    def learn(self, secret: Secret) -> None:
        """Look for this value from now on; `ToolcribWarning` where it, or a field of the document that it is,
        is too short to be looked for, once for each path and field.
        """
        value = secret.reveal()
        if not self._known.learn(value, f"[secret:{secret.path}]"):
            return
        fields = [name for name in too_short(value) if (secret.path, name) not in self._told]
        if fields:
            if len(self._told) > MOST_TOLD:
                self._told.clear()
            self._told.update((secret.path, name) for name in fields)
            _warn_short(secret.path, fields)

    @property
    def known(self) -> Known:
        """What it looks for."""
        return self._known

    def inherit(self, known: Known) -> None:
        """Look for what another one knew, which is gone."""
        self._known.take_over(known)

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

    def clean_chunk(self, text: str) -> str:
        """`text`, which somebody cut off, without the values and without the beginning of one, or of a token,
        at its end.
        """
        if not self._known.active:
            return text
        data = text.encode("utf-8", "surrogatepass")
        found, begun = self._ended(data)
        if begun is not None:
            found = merged([*found, (begun[0], len(data), begun[1])])
        return _replaced(data, found).decode("utf-8", "surrogatepass") if found else text

    def clean_piece(self, before: bytes, piece: bytes, *, last: bool = False) -> Piece:
        """`piece` of a stream, after `before` (from where the last `Piece` said), which was told already.

        A value that began in `before` is cut from where `piece` begins, and so is the beginning of one at the
        end; what may become a token there is held back, unless this is the `last` piece.
        """
        data, start = before + piece, len(before)
        found, begun = self._ended(data)
        end = len(data) if last or begun is None else max(start, begun[0])
        told = _replaced(data[start:end], list(_clipped(found, start)))
        since = found[-1][0] if found and found[-1][1] == len(data) else end
        return Piece(told.decode("utf-8", "surrogatepass"), data[end:], data[:end], since)

    def _ended(self, data: bytes) -> tuple[list[Found], tuple[int, str] | None]:
        """The finds in `data`, also a value that begins at its end, and what may become a token there."""
        found = self._known.search(data)
        if cut := self._known.beginning(data):
            found = merged([*found, (cut[0], len(data), cut[1])])
        begun = self._known.token_beginning(data)
        if begun is not None and found and begun[0] < found[-1][1]:
            begun = None if found[-1][1] == len(data) else (found[-1][1], begun[1])
        return found, begun

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


def _clipped(found: list[Found], start: int) -> Iterator[Found]:
    """What of the finds stands from `start` on, counted from there."""
    for first, last, label in found:
        if last > start:
            yield max(first, start) - start, last - start, label


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


def told_short(fields: Sequence[str]) -> str:
    """What of a value is not redacted, as `too_short` names it, in words; the caller says of which."""
    if not any(fields):
        return f"has fewer than {SHORTEST} characters, so it is not redacted; use a longer one"
    more = f" and {len(fields) - MOST_NAMED} more" if len(fields) > MOST_NAMED else ""
    return (
        f"has fields of fewer than {SHORTEST} characters, which are not redacted"
        f" ({', '.join(fields[:MOST_NAMED])}{more}); use longer ones where they are secret"
    )


def _warn_short(path: str, fields: Sequence[str]) -> None:
    warnings.warn(ToolcribWarning(f"the secret at {path!r} {told_short(fields)}"), stacklevel=3)
