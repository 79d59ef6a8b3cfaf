"""Policy files as text, read once and with a bound.

pycasbin would read the file itself, line by line and whatever it is. Reading it here, once, means that
what was checked is what is loaded, even when somebody writes to the file at that moment.
"""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import TypeAlias

from toolcrib.policy._problems import Problem

__all__ = ["MAX_BYTES", "Signature", "read_text", "replace_file", "signature"]

MAX_BYTES = 256 * 2**20
"""A million rules are about 80 MB."""

Signature: TypeAlias = tuple[int, ...]


def signature(path: Path) -> Signature | None:
    """What changes when the file does: modification time, size and inode; None where there is no file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


_FOLDER = "a policy folder holds model.conf and policy.csv"
_CREATE = "Name the right folder in [policy] path, or start from a bundle of toolcrib-policies"


def read_text(path: Path, *, rule: str = _FOLDER, remedy: str = _CREATE) -> str:
    """The file's text without a byte order mark; raises `PolicyError` for what is not a readable text
    file. `rule` and `remedy` are for one that cannot be read: what it is, and where it would be.
    """
    data = _read_bytes(path, rule, remedy)
    if b"\0" in data:
        raise _broken(path, "contains a NUL byte", "a policy is text", "Restore it from a good copy")
    try:
        return _decoded(data)
    except UnicodeDecodeError:
        line = _undecodable_line(data)
        raise _broken(path, "is not UTF-8", "a policy is UTF-8 text", "Save it as UTF-8", line) from None


def _decoded(data: bytes) -> str:
    """A piece at a time: decoding all of it at once would hold up other threads."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    pieces = [decoder.decode(data[start : start + _PIECE]) for start in range(0, len(data), _PIECE)]
    return "".join((*pieces, decoder.decode(b"", final=True)))


_PIECE = 1 << 16


def _undecodable_line(data: bytes) -> int:
    """The number of the first line that is no UTF-8."""
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 1


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all, with the mode and behind the link that it had; raises
    `PolicyError`.
    """
    target = Path(os.path.realpath(path))
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise _broken(
            path, f"cannot be written: {error.strerror}", "a change is written whole or not at all", _WRITE
        ) from None


_WRITE = "Run this as somebody who may write there, with room on the disk"


def _read_bytes(path: Path, rule: str, remedy: str) -> bytes:
    try:
        # Without O_NONBLOCK, opening a pipe under the policy's name would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _broken(path, "is not a file", "a policy is a regular file", "Put the file there")
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _broken(path, f"cannot be read: {reason}", rule, remedy) from None
    if len(data) > MAX_BYTES:
        raise _broken(
            path, f"is larger than {MAX_BYTES >> 20} MiB", "a policy file is bounded", "Split or shorten it"
        )
    return data


def _broken(path: Path, what: str, rule: str, remedy: str, line: int = 0) -> Exception:
    name = path.name if line else str(path)
    return Problem(name, line, 0, what, rule, remedy).error()
