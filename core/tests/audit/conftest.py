from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from toolcrib.audit import AuditLog

Make = Callable[..., AuditLog]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def fill(folder: Path) -> Callable[..., Path]:
    """Write `count` records (the log's own `opened` comes first) and close the log."""

    def fill(count: int, *, segment_bytes: int = 1 << 20, **more: object) -> Path:
        log = AuditLog(folder, durability="written", segment_bytes=segment_bytes, **more)
        for number in range(count):
            log.append_blocking({"kind": "intent", "call": f"c{number}", "arguments": {"n": number}})
        log.close()
        return folder

    return fill


@pytest.fixture
def rehash() -> Callable[[bytes], bytes]:
    """A line (without its end) with the hash that its bytes deserve: what a careful forger writes."""
    from hashlib import sha256

    def rehash(line: bytes) -> bytes:
        return b'{"hash":"' + sha256(b"{" + line[75:]).hexdigest().encode() + line[73:]

    return rehash
