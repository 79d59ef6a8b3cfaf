"""Reading and filtering."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from toolcrib.audit import AuditLog, query, read
from toolcrib.audit import _store as store_module
from toolcrib.errors import AuditError

Fill = Callable[..., Path]


@pytest.fixture
def mixed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six records over several segments, each at a second of its own."""
    seconds = iter(range(1_800_000_000, 1_800_100_000))
    monkeypatch.setattr(store_module.time, "time_ns", lambda: next(seconds) * 10**9)
    log = AuditLog(folder, durability="written", segment_bytes=900)
    for record in (
        {"kind": "intent", "call": "c1", "tool": "crm.get", "user": "alice", "agent": "sales", "run": "r1"},
        {"kind": "outcome", "call": "c1", "tool": "crm.get", "user": "alice", "status": "done", "run": "r1"},
        {
            "kind": "refusal",
            "call": "c2",
            "tool": "mail.send",
            "user": "bob",
            "status": "denied",
            "run": "r2",
        },
        {"kind": "refusal", "call": "c3", "tool": "crmx.get", "user": "bob", "status": "denied"},
        {
            "kind": "approval",
            "call": "c4",
            "approval": "a1",
            "user": 'q"uote',
            "arguments": {"user": "alice"},
        },
        {"kind": "admin", "action": "freeze"},
    ):
        log.append_blocking(record)
    log.close()
    monkeypatch.undo()
    return folder


def names(records: object) -> list[str]:
    return [record.get("call") or record.get("action") for record in records if record["kind"] != "log"]  # type: ignore[attr-defined]


def test_in_order_and_newest_first(mixed: Path):
    assert names(read(mixed)) == ["c1", "c1", "c2", "c3", "c4", "freeze"]
    assert list(read(mixed, newest_first=True)) == list(reversed(list(read(mixed))))


def test_after_a_number(mixed: Path):
    numbers = [record["seq"] for record in read(mixed)]
    assert [record["seq"] for record in read(mixed, after=4)] == numbers[4:]
    assert [record["seq"] for record in read(mixed, after=4, newest_first=True)] == numbers[:3:-1]
    assert list(read(mixed, after=10_000)) == []


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"tool": "crm.get"}, ["c1", "c1"]),
        ({"tool": "crm.*"}, ["c1", "c1"]),
        ({"tool": "crm"}, []),
        ({"user": "alice"}, ["c1", "c1"]),
        ({"user": 'q"uote'}, ["c4"]),
        ({"agent": "sales"}, ["c1"]),
        ({"status": "denied"}, ["c2", "c3"]),
        ({"status": "denied", "tool": "mail.send"}, ["c2"]),
        ({"status": "denied", "user": "alice"}, []),
        ({"kind": "admin"}, ["freeze"]),
        ({"run": "r1"}, ["c1", "c1"]),
        ({"approval": "a1"}, ["c4"]),
        ({"call": "c3"}, ["c3"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("newest_first", [False, True])
def test_filters(mixed: Path, filters: dict[str, str], wanted: list[str], newest_first: bool):
    found = names(query(mixed, newest_first=newest_first, **filters))
    assert found == (wanted[::-1] if newest_first else wanted)


def test_since_is_included_and_until_is_not(mixed: Path):
    times = {record.get("call"): datetime.fromisoformat(record["ts"]) for record in read(mixed)}
    assert names(query(mixed, since=times["c3"])) == ["c3", "c4", "freeze"]
    assert names(query(mixed, until=times["c3"])) == ["c1", "c1", "c2"]
    assert names(query(mixed, since=times["c2"], until=times["c4"])) == ["c2", "c3"]
    elsewhere = times["c3"].astimezone(timezone(timedelta(hours=5)))
    assert names(query(mixed, since=elsewhere)) == ["c3", "c4", "freeze"]
    assert names(query(mixed, since=times["c3"].astimezone(UTC).replace(tzinfo=None))) == [
        "c3",
        "c4",
        "freeze",
    ]


def test_an_empty_log_has_no_records(folder: Path):
    folder.mkdir()
    assert list(read(folder)) == []
    (folder / "000001.jsonl").touch()
    assert list(read(folder, newest_first=True)) == []


def test_a_log_that_is_not_there_is_an_error(folder: Path):
    with pytest.raises(AuditError, match=str(folder)):
        list(read(folder))


@pytest.mark.parametrize("newest_first", [False, True])
def test_what_a_crash_left_is_no_record(fill: Fill, newest_first: bool):
    folder = fill(3)
    with (folder / "000001.jsonl").open("ab") as file:
        file.write(b'{"hash":"12')
    assert len(list(read(folder, newest_first=newest_first))) == 4


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_line_that_two_parsers_could_read_differently_is_refused(
    fill: Fill, rehash: Callable[[bytes], bytes], newest_first: bool
):
    """Even with a right hash."""
    folder = fill(3)
    path = folder / "000001.jsonl"
    lines = path.read_bytes().splitlines()
    lines[-1] = rehash(lines[-1].replace(b'"call":"c2"', b'"call":"evil","call":"c2"'))
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(AuditError, match=r"000001\.jsonl.* at byte \d+") as caught:
        list(read(folder, newest_first=newest_first))
    assert "audit verify" in caught.value.remedy


def test_reading_streams(fill: Fill, folder: Path):
    fill(20)
    records = read(folder)
    next(records)
    fill(20)
    assert len(list(records)) == 20  # the log as it stood when reading began
