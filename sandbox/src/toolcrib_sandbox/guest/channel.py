"""Frames over two descriptors that nobody else in the sandbox has.

A frame is: kind (1 byte), length (4 bytes, big-endian), JSON; then as many raw bytes as the JSON says.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

__all__ = ["Channel", "take_channel"]


_AT_ONCE = 1 << 16
"""Bytes that a pipe takes in one piece; each piece is a way through the engine of its own."""


class Channel:
    """Frames to and from the host. When it closes, the owner of this sandbox is gone, and pid 1 ends at
    once, taking all with it.
    """

    def __init__(self, into: int, out: int) -> None:
        self.into, self.out = into, out

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        parts = []
        while size:
            part = os.read(self.into, min(size, 1 << 20))
            if not part:
                os._exit(0)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def receive(self) -> tuple[dict[str, Any], list[bytes]]:
        """A request, and the bytes that belong to it: its code, then its inputs."""
        (size,) = struct.unpack(">xI", self.read(5))
        request = json.loads(self.read(size))
        return request, [self.read(length) for length in request["sizes"]]

    def send(self, kind: bytes, message: dict[str, Any], *payload: bytes) -> None:
        """One frame, and the bytes that belong to it."""
        head = json.dumps(message).encode()
        parts = [kind + struct.pack(">I", len(head)) + head, *payload]
        if sum(map(len, parts)) <= _AT_ONCE:
            parts = [b"".join(parts)]
        for data in parts:
            view = memoryview(data)
            while view:
                view = view[os.write(self.out, view) :]


def take_channel() -> Channel:
    """Move stdin and stdout away from where foreign code would look for them."""
    channel = Channel(os.dup(0), os.dup(1))
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    return channel
