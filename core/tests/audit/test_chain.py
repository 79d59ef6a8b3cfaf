"""The chain's algebra: what was linked follows, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.audit._chain import GENESIS, Head, follow, link, parse, timestamp
from toolcrib.audit._record import canonical

TS = b"2026-11-22T11:33:00.123456Z"
RECORDS = st.lists(
    st.dictionaries(
        st.text(), st.text() | st.integers(-9, 9) | st.none() | st.lists(st.text()), max_size=4
    ).map(lambda fields: canonical({**fields, "kind": "intent"})),
    min_size=1,
    max_size=6,
)


def lines_of(data: bytes) -> list[bytes]:
    assert data.endswith(b"\n")
    return data[:-1].split(b"\n")


@given(RECORDS)
def test_what_was_linked_follows(records):
    data, head = link(GENESIS, records, 1, TS, b'"w"')
    assert follow(lines_of(data), 1, GENESIS) == (len(records), head)


@given(RECORDS, RECORDS)
def test_linking_in_two_batches_is_linking_in_one(first, second):
    whole, end = link(GENESIS, first + second, 1, TS, b'"w"')
    one, head = link(GENESIS, first, 1, TS, b'"w"')
    two, last = link(head, second, 1, TS, b'"w"')
    assert (one + two, last) == (whole, end)


@given(RECORDS, st.data())
def test_a_line_with_any_one_byte_changed_does_not_follow(records, data):
    made, _ = link(GENESIS, records, 1, TS, b'"w"')
    lines = lines_of(made)
    which = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[which]) - 1))
    flip = data.draw(st.integers(1, 255))
    line = bytearray(lines[which])
    line[at] ^= flip
    lines[which] = bytes(line)
    assert follow(lines, 1, GENESIS)[0] == which


@given(RECORDS.filter(lambda records: len(records) > 1), st.data())
def test_a_missing_or_moved_line_does_not_follow(records, data):
    lines = lines_of(link(GENESIS, records, 1, TS, b'"w"')[0])
    gone = data.draw(st.integers(0, len(lines) - 2))
    assert follow(lines[:gone] + lines[gone + 1 :], 1, GENESIS)[0] == gone
    other = data.draw(st.integers(gone + 1, len(lines) - 1))
    lines[gone], lines[other] = lines[other], lines[gone]
    assert follow(lines, 1, GENESIS)[0] == gone


@given(RECORDS)
def test_anybody_can_check_a_line_without_our_code(records):
    prev = "0" * 64
    for number, line in enumerate(lines_of(link(GENESIS, records, 1, TS, b'"w"')[0]), 1):
        entry = json.loads(line)
        stated = entry.pop("hash")
        body = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert (entry["log"]["prev"], entry["log"]["seq"]) == (prev, number)
        if "\x7f" not in body:  # json and orjson agree on all but how they spell this one control character
            assert hashlib.sha256(body.encode()).hexdigest() == stated
        prev = stated


def test_a_line_follows_only_in_its_own_segment():
    lines = lines_of(link(GENESIS, [b"{}"], 1, TS, b'"w"')[0])
    assert follow(lines, 2, GENESIS)[0] == 0
    assert follow(lines, 1, GENESIS)[0] == 1


def test_a_line_may_not_be_earlier_than_the_one_before():
    head = Head(1, b"a" * 64, TS)
    same = lines_of(link(head, [b"{}"], 1, TS, b'"w"')[0])
    earlier = lines_of(link(head, [b"{}"], 1, b"2026-11-22T11:33:00.123455Z", b'"w"')[0])
    assert follow(same, 1, head)[0] == 1
    assert follow(earlier, 1, head)[0] == 0


def test_nothing_follows_from_no_lines():
    assert follow([], 1, GENESIS) == (0, GENESIS)


@pytest.mark.parametrize("line", [b"", b"{}", b"null", b"[1]", b"x" * 200, b'{"hash":"'], ids=repr)
def test_what_is_no_line_neither_follows_nor_parses(line):
    assert follow([line], 1, GENESIS)[0] == 0
    assert parse(line) is None


def test_parse_takes_canonical_lines_only():
    line = lines_of(link(GENESIS, [b'{"a":1}'], 1, TS, b'"w"')[0])[0]
    entry = parse(line)
    assert entry is not None and entry["record"] == {"a": 1} and entry["log"]["seq"] == 1
    assert parse(line.replace(b'{"a":1}', b'{"a": 1}')) is None
    assert parse(line.replace(b'{"a":1}', b'{"a":2,"a":1}')) is None
    assert parse(line.replace(b'"seq":1', b'"seq":true')) is None
    assert parse(line.replace(b'"v":1,', b"")) is None


@given(st.integers(0, 4_000_000_000 * 10**9), st.integers(0, 4_000_000_000 * 10**9))
def test_times_sort_as_text(one, other):
    first, second = timestamp(one), timestamp(other)
    assert len(first) == len(TS)
    assert (first < second) == (one // 1000 < other // 1000)


def test_a_timestamp_is_utc_with_microseconds():
    assert timestamp(0) == b"1970-01-01T00:00:00.000000Z"
    assert timestamp(1_700_000_000_123_456_789) == b"2023-11-14T22:13:20.123456Z"
    assert timestamp(time.time_ns()).endswith(b"Z")
