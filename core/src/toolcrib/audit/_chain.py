"""The chain: how a record becomes a line, and how a line is checked against the one before it.

    {"hash":"<64 hex>",
     "log":{"prev":"<64 hex>","segment":1,"seq":7,"ts":"2026-11-22T11:33:00.123456Z","v":1,"writer":"..."},
     "record":{...}}

stands in one line, and the whole line is canonical JSON. `hash` is the SHA-256 of the same object without
its `hash`, and `prev` is the hash of the line before; so every field, those of the log included, is under
the hash, and the hash is under the next line's. `segment` ties a line to its file.

The names were chosen so that sorting puts `hash`, `prev`, `segment`, `seq` and `ts` at positions known
beforehand. A verifier can therefore demand the exact opening of a line, hash the raw rest, and need not
parse: every byte is either compared or hashed. Nothing is parsed leniently, so nothing can be hidden from
it; blanks, repeated keys and changed line ends are simply other bytes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

__all__ = ["GENESIS", "HASH_END", "Head", "follow", "link", "parse", "timestamp"]


class Head(NamedTuple):
    """Where the chain stands: the last record's number, its hash (64 hex digits) and its time, as they
    stand in the file.
    """

    seq: int
    hash: bytes
    ts: bytes


_head = partial(tuple.__new__, Head)
"""As `Head(...)`, without the Python function in between: this is on the way of every record."""

GENESIS = Head(0, b"0" * 64, b"")
"""Before the first record."""

HASH_END = 75
"""Bytes of `{"hash":"<64 hex>",`, after which the hashed part begins."""

_TS = 27  # bytes of 2026-11-22T11:33:00.123456Z
_OPENING = b'{"hash":"%b","log":{"prev":"%b","segment":%d,"seq":%d,"ts":"'
_BODY = b'{"log":{"prev":"%b","segment":%d,"seq":%d,"ts":"%b","v":1,"writer":%b},"record":%b}'

_LINE = b'{"hash":"%b",%b\n'

_second: tuple[int, bytes] = (-1, b"")


def timestamp(nanoseconds: int) -> bytes:
    """UTC with microseconds, in 27 bytes, so that times sort as text."""
    global _second  # the calendar is worked out once a second; a lost race only works it out twice
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    known, text = _second
    if known != seconds:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode()
        _second = (seconds, text)
    return b"%b.%06dZ" % (text, rest // 1000)


def link(head: Head, records: Sequence[bytes], segment: int, ts: bytes, writer: bytes) -> tuple[bytes, Head]:
    """The lines of `records` chained to `head`, as one piece of bytes, and the new head. `writer` is a JSON
    string.
    """
    seq, prev, _ = head
    lines = []
    for record in records:
        seq += 1
        body = _BODY % (prev, segment, seq, ts, writer, record)
        prev = sha256(body).hexdigest().encode()
        lines.append(_LINE % (prev, body[1:]))
    return b"".join(lines), _head((seq, prev, ts))


def follow(lines: Sequence[bytes], segment: int, head: Head) -> tuple[int, Head]:
    """How many of `lines` (without line ends) continue the chain from `head`, up to the first that does
    not, and the head there.

    A line continues it if its hash is that of its bytes, `prev`, `segment` and `seq` are the expected ones,
    and its time is not earlier than that of the line before.
    """
    seq, prev, ts = head
    good = 0
    for line in lines:
        digest = sha256(b"{" + line[HASH_END:]).hexdigest().encode()
        opening = _OPENING % (digest, prev, segment, seq + 1)
        if not line.startswith(opening):
            break
        start = len(opening)
        moment = line[start : start + _TS]
        if moment < ts:
            break
        seq, prev, ts = seq + 1, digest, moment
        good += 1
    return good, Head(seq, prev, ts)


def parse(line: bytes) -> dict[str, Any] | None:
    """The line's object (`hash`, `log`, `record`) if the line is canonical and of this shape, else None."""
    try:
        value = orjson.loads(line)
        if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != line:
            return None
        log = value["log"]
        shape = {"prev": str, "segment": int, "seq": int, "ts": str, "v": int, "writer": str}
        fits = (
            value.keys() == {"hash", "log", "record"}
            and isinstance(value["record"], dict)
            and log.keys() == shape.keys()
            and all(type(log[name]) is kind for name, kind in shape.items())
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return value if fits else None
