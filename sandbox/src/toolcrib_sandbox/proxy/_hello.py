"""The server name of a TLS ClientHello (RFC 8446, 4.1.2; RFC 6066, 3), read without any cryptography."""

from __future__ import annotations

__all__ = ["MAX_HELLO", "Incomplete", "NoHello", "server_name"]

MAX_HELLO = 16 * 1024
"""Bytes in which a ClientHello must be complete."""

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ENCRYPTED_HELLO = 0, 0xFE0D


class NoHello(Exception):
    """These bytes begin no TLS connection whose server is known."""


class Incomplete(Exception):
    """More bytes are needed."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        if len(piece) < size:
            raise NoHello("its parts are longer than the whole")
        self._at += size
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> _Reader:
        return _Reader(self.take(self.number(size)))

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)


def server_name(data: bytes) -> str:
    """The name, in lower case. Raises `Incomplete`, or `NoHello` for anything but a ClientHello with exactly
    one name; an encrypted one (ECH) is refused, since the name that counts could be another.
    """
    hello = _Reader(_message(data))
    hello.take(2 + 32)
    hello.vector(1)
    hello.vector(2)
    hello.vector(1)
    if hello.is_empty:
        raise NoHello("it names no server")
    extensions, names = hello.vector(2), []
    while not extensions.is_empty:
        kind, body = extensions.number(2), extensions.vector(2)
        if kind == _ENCRYPTED_HELLO:
            raise NoHello("it hides its server's name (ECH)")
        if kind == _SERVER_NAME:
            names += _names(body)
    if len(names) != 1:
        raise NoHello("it names no server" if not names else "it names more than one server")
    return names[0]


def _message(data: bytes) -> bytes:
    """The ClientHello, which may be spread over several records."""
    message, at = b"", 0
    while True:
        if len(data) > at and data[at] != _HANDSHAKE:
            raise NoHello("it is not TLS")
        if len(data) < at + 5:
            raise Incomplete
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        message += data[at + 5 : at + 5 + size]
        at += 5 + size
        if message and message[0] != _CLIENT_HELLO:
            raise NoHello("it is not a ClientHello")
        wanted = 4 + int.from_bytes(message[1:4], "big") if len(message) >= 4 else MAX_HELLO + 1
        if len(message) >= wanted:
            return message[4:wanted]
        if size == 0 or (wanted > MAX_HELLO and len(message) >= 4):
            raise NoHello("it is too long")
        if len(data) < at:
            raise Incomplete


def _names(body: _Reader) -> list[str]:
    found, names = body.vector(2), []
    while not found.is_empty:
        kind, name = found.number(1), found.vector(2)
        if kind == 0:
            names.append(name.take(len(name._data)).decode("ascii", "replace").lower())
    return names
