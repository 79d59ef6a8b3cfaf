"""What a sandbox asks of its proxy, read strictly: one spelling of each thing, all others are refused.

Lenient parsing is how proxies are fooled: user names before a host, tabs in a request line, two lengths of
one body, a second request behind the first. Nothing of that has a form here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MAX_HEAD", "Ask", "Refused", "parse", "target_of"]

MAX_HEAD = 16 * 1024
"""Bytes of a request's head."""

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_CONNECT = re.compile(rf"CONNECT ({_HOST}):([0-9]{{1,5}}) HTTP/1\.[01]")
_PLAIN = re.compile(rf"([A-Z]{{3,10}}) http://({_HOST})(?::([0-9]{{1,5}}))?(/[!-~]*)? HTTP/1\.[01]")
_TARGET = re.compile(rf"({_HOST}):([1-9][0-9]{{0,4}})")  # `0443` would pass by a row that denies `:443`
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([ \t]*[^\r\n\0]*)")
_HOP = frozenset(
    (
        "connection", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
        "te", "trailer", "upgrade",
    )
)  # fmt: skip
"""Headers that mean this connection, or that are written anew."""


class Refused(Exception):
    """What was asked is not done; the text says why, `target` to where."""

    def __init__(self, why: str, target: str = "") -> None:
        super().__init__(why)
        self.why, self.target = why, target


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for `host:port`. A plain one has the `head` to send and the `length` of its body."""

    host: str
    port: int
    is_tunnel: bool
    head: bytes = b""
    length: int = 0

    @property
    def target(self) -> str:
        """`host:port`, as policy and audit log write it."""
        return f"{self.host}:{self.port}"


def target_of(text: str) -> str:
    """A granted target in its one spelling; raises `Refused` for what is none."""
    found = _TARGET.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise Refused("a target is HOST:PORT, without a scheme, a path, a user or a zero before the port")
    return f"{found[1].lower()}:{int(found[2])}"


def parse(data: bytes) -> Ask:
    """The request in a head (up to its empty line); raises `Refused`."""
    try:
        lines = data.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    except UnicodeDecodeError:
        raise Refused("a request's head is ASCII") from None
    if found := _CONNECT.fullmatch(lines[0]):
        return Ask(found[1].lower(), _port(found[2], found[0]), is_tunnel=True)
    if found := _PLAIN.fullmatch(lines[0]):
        method, host, port, path = found.groups()
        ask = Ask(host.lower(), _port(port or "80", found[0]), is_tunnel=False)
        return _plain(ask, method, path or "/", lines[1:])
    raise Refused("neither CONNECT HOST:PORT nor METHOD http://HOST[:PORT]/PATH", _shown(lines[0]))


def _port(text: str, line: str) -> int:
    if not 0 < int(text) < 65536:
        raise Refused("there is no such port", _shown(line))
    return int(text)


def _shown(line: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in line)[:200]


def _plain(ask: Ask, method: str, path: str, lines: Sequence[str]) -> Ask:
    headers, lengths = [], set()
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise Refused("a header that cannot be read", ask.target)
        name, value = found[1].lower(), found[2].strip()
        if name == "transfer-encoding":
            raise Refused("a request body without a length", ask.target)
        if name == "content-length":
            lengths.add(value)
        elif name not in _HOP:
            headers.append(f"{found[1]}: {value}")
    length = lengths.pop() if lengths else "0"
    if lengths or not re.fullmatch(r"[0-9]{1,12}", length):
        raise Refused("a request body with two lengths, or none that can be read", ask.target)
    if int(length):
        headers.append(f"Content-Length: {int(length)}")
    host = ask.host if ask.port == 80 else ask.target
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "Connection: close", "", ""]
    return Ask(ask.host, ask.port, is_tunnel=False, head="\r\n".join(head).encode(), length=int(length))
