"""Every byte of a small log and every field of a record, changed in every way that comes to mind.

Each must be found. The second half plants bugs into the verifier and shows that these tests would find
them; a test that cannot fail proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from toolcrib.audit import AuditLog, SigningKey, verify
from toolcrib.audit import _verify as verify_module
from toolcrib.audit._chain import follow


@pytest.fixture
def small(folder: Path) -> Path:
    """Three callers' records over two segments."""
    log = AuditLog(folder, durability="written", segment_bytes=700, writer="w")
    log.append_blocking(
        {"kind": "intent", "call": "c1", "arguments": {"to": "a@b.c", "n": [1, 2.5, None, True]}}
    )
    log.append_blocking({"kind": "outcome", "call": "c1", "status": "done"})
    log.append_blocking({"kind": "admin", "action": "freeze"})
    log.close()
    assert len(list(folder.glob("*.jsonl"))) == 2
    assert verify(folder).ok
    return folder


def byte_changes(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Every way to change one byte that we try: flips, an insertion before it, and its removal."""
    for at in reversed(range(len(data))):
        for flip in (0x01, 0xA0):
            yield f"byte {at} ^ {flip:#x}", data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
        yield f"blank before {at}", data[:at] + b" " + data[at:]
        yield f"line end before {at}", data[:at] + b"\n" + data[at:]
        yield f"byte {at} removed", data[:at] + data[at + 1 :]


def undetected(folder: Path, changes: Callable[[bytes], Iterator[tuple[str, bytes]]]) -> Iterator[str]:
    """The changes after which the log still verifies."""
    for path in sorted(folder.glob("*.jsonl"), reverse=True):
        data = path.read_bytes()
        for name, changed in changes(data):
            path.write_bytes(changed)
            if verify(folder).ok:
                yield f"{path.name}: {name}"
        path.write_bytes(data)
    assert verify(folder).ok


def test_every_byte(small: Path):
    assert list(undetected(small, byte_changes)) == []


def whole_file_changes(data: bytes) -> Iterator[tuple[str, bytes]]:
    lines = data.splitlines(keepends=True)
    yield "other line ends", data.replace(b"\n", b"\r\n")
    yield "no last line end", data[:-1]
    yield "an empty line at the end", data + b"\n"
    yield "a zero at the end", data + b"\0"
    yield "a byte order mark", b"\xef\xbb\xbf" + data
    yield "the file twice", data * 2
    yield "an empty file", b""
    for number, line in enumerate(lines):
        yield f"line {number} twice", b"".join([*lines[:number], line, *lines[number:]])
        yield f"line {number} removed", b"".join([*lines[:number], *lines[number + 1 :]])
        for name, other in spellings(line):
            yield f"line {number} {name}", b"".join([*lines[:number], other, *lines[number + 1 :]])


def spellings(line: bytes) -> Iterator[tuple[str, bytes]]:
    """The same record for a lenient parser, in other bytes."""
    entry = orjson.loads(line)
    yield "indented", orjson.dumps(entry, option=orjson.OPT_INDENT_2).replace(b"\n", b"") + b"\n"
    yield "unsorted", orjson.dumps(dict(reversed(entry.items()))) + b"\n"
    yield "a key repeated, the last one true", line.replace(b'"kind":', b'"kind":"intent","kind":', 1)
    yield "a letter escaped", line.replace(b'"kind"', b'"\\u006bind"', 1)
    yield "a number spelt otherwise", line.replace(b'"v":1', b'"v":1.0', 1)
    yield "a trailing blank", line[:-1] + b" \n"


# The last line of a log can be removed without a trace in the log itself: that is what checkpoints are for.
ENDS_OF_LOG = {
    "000002.jsonl: line 0 removed",
    "000002.jsonl: an empty file",
    "000002.jsonl: line 1 removed",
}


def test_every_line(small: Path):
    assert set(undetected(small, whole_file_changes)) <= ENDS_OF_LOG


def test_every_line_with_a_checkpoint(small: Path, tmp_path: Path):
    log = AuditLog(small)
    log.checkpoint(SigningKey.load_or_create(tmp_path / "key"))
    log.close()
    assert list(undetected(small, whole_file_changes)) == []


# --- every field ------------------------------------------------------------------------------------------


def field_changes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """The path of every value in a record, however deep, and what to do to it."""
    if path:
        yield path, "change"
        yield path, "remove"
    if isinstance(value, dict):
        for key in value:
            yield from field_changes(value[key], (*path, key))
        yield (*path, "added"), "add"
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from field_changes(value[index], (*path, index))


def changed_field(entry: dict[str, Any], path: tuple[Any, ...], how: str) -> bytes:
    entry = deepcopy(entry)
    *way, last = path
    inner: Any = entry
    for step in way:
        inner = inner[step]
    if how == "remove":
        del inner[last]
    elif how == "add":
        inner[last] = 1
    else:
        inner[last] = other(inner[last])
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


def other(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value is None
    if isinstance(value, int | float):
        return value + 1
    return value[::-1] + "x" if isinstance(value, str) else "other"


@pytest.mark.parametrize("forged", [False, True], ids=["plain", "hash made anew"])
def test_every_field(small: Path, tmp_path: Path, rehash: Callable[[bytes], bytes], forged: bool):
    log = AuditLog(small)
    log.checkpoint(SigningKey.load_or_create(tmp_path / "key"))
    log.close()
    tried = 0
    for path in sorted(small.glob("*.jsonl")):
        data = path.read_bytes()
        lines = data[:-1].split(b"\n")
        for number, line in enumerate(lines):
            for where, how in field_changes(orjson.loads(line)):
                changed = changed_field(orjson.loads(line), where, how)
                if forged and where != ("hash",):
                    changed = rehash(changed)
                path.write_bytes(b"\n".join([*lines[:number], changed, *lines[number + 1 :]]) + b"\n")
                assert not verify(small).ok, (path.name, number, where, how)
                tried += 1
        path.write_bytes(data)
    assert verify(small).ok
    assert tried > 150


# --- can these tests fail? --------------------------------------------------------------------------------


def parses_leniently(lines, segment, head):
    """A verifier that hashes what a parser understood, not what stands there."""
    try:
        again = [orjson.dumps(orjson.loads(line), option=orjson.OPT_SORT_KEYS) for line in lines]
    except ValueError:
        return follow(lines, segment, head)
    return follow(again, segment, head)


def strips_lines(lines, segment, head):
    """A verifier that thinks that blanks at the end do not matter."""
    return follow([line.rstrip() for line in lines], segment, head)


def trusts_the_last_hash(lines, segment, head):
    """A verifier that compares each `prev` but no record with its own hash."""
    good, end = follow(lines[:-1], segment, head)
    return (len(lines), end) if good == len(lines) - 1 else (good, end)


def skips_a_field(lines, segment, head):
    """A verifier that does not look at what `status` says."""
    return follow([re.sub(rb'"status":"[^"]*"', b'"status":"done"', line) for line in lines], segment, head)


@pytest.mark.parametrize("planted", [parses_leniently, strips_lines, trusts_the_last_hash, skips_a_field])
def test_a_planted_bug_is_caught(small: Path, monkeypatch: pytest.MonkeyPatch, planted: Any):
    monkeypatch.setattr(verify_module, "follow", planted)
    assert next(undetected(small, byte_changes), None) is not None


def test_a_verifier_that_ignores_files_is_caught(small: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verify_module._Pass, "_handover", lambda *_: None)
    (small / "000002.jsonl").unlink()
    assert verify(small).ok
    monkeypatch.undo()
    assert not verify(small).ok
