"""Pid 1 may lie: whatever it says, the host takes no more than was asked for."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolcrib.errors import SandboxError
from toolcrib.sandbox import Limits, RunRequest
from toolcrib_sandbox._channel import Channel, ChannelClosed
from toolcrib_sandbox._spec import spec_for
from toolcrib_sandbox._wire import read_reply

LIMITS = Limits(memory=64 << 20, disk=1 << 20, output=1000, artifacts=2)
REQUEST = RunRequest("1", limits=LIMITS)
SPEC = spec_for(LIMITS, image="sha256:0")
GOOD = {"exit": 0, "signal": 0, "timed_out": False, "oom": False, "written": 3, "truncated": False}
GOOD |= {"survivors": 0, "names": ["a.txt"], "sizes": [2, 1, 4], "notes": [], "seconds": 0.1}


def frame(message, payload: bytes = b"oexxxx", kind: bytes = b"R") -> bytes:
    head = message if isinstance(message, bytes) else json.dumps(message).encode()
    return kind + struct.pack(">I", len(head)) + head + payload


def multiplexed(data: bytes, pieces: int = 7, stream: int = 1) -> bytes:
    size = max(1, len(data) // pieces)
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(struct.pack(">BxxxI", stream, len(part)) + part for part in parts)


def reply(raw: bytes, seconds: float = 5):
    ours, theirs = socket.socketpair()
    writer = threading.Thread(target=lambda: (theirs.sendall(raw), theirs.close()))
    writer.start()
    channel = Channel(ours)
    try:
        return read_reply(channel, REQUEST, SPEC, time.monotonic() + seconds)
    finally:
        channel.close()
        writer.join()


def test_a_good_one() -> None:
    found = reply(multiplexed(frame(GOOD, b"ooexxxx")))
    assert (found.stdout, found.stderr, found.artifacts[0].data) == (b"oo", b"e", b"xxxx")


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": [751, 0, 0]},
        {"sizes": [0, 251, 0]},
        {"sizes": [0, 0, (1 << 20) + 1]},
        {"sizes": [0, 0, -1]},
        {"sizes": [0, 0, 1 << 62]},
        {"sizes": [0, 0]},
        {"sizes": []},
        {"sizes": "abc"},
        {"sizes": [True, 0, 0]},
        {"names": ["a", "b", "c"], "sizes": [0, 0, 0, 0, 0]},
        {"names": [1], "sizes": [0, 0, 0]},
        {"names": None},
        {"exit": "x"},
        {"exit": []},
        {"seconds": "x"},
        {"survivors": None},
        {"notes": [1]},
        {"written": {}},
        {"written": float("inf")},
    ],
)
def test_lies_are_refused(change) -> None:
    with pytest.raises(SandboxError, match="the sandbox answered with"):
        reply(multiplexed(frame(GOOD | change, b"x" * 2000)))


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_what_is_missing_is_refused(missing: str) -> None:
    with pytest.raises(SandboxError):
        reply(
            multiplexed(frame({name: value for name, value in GOOD.items() if name != missing}, b"ooexxxx"))
        )


@pytest.mark.parametrize(
    "raw",
    [
        frame(GOOD, kind=b"H"),
        b"R" + struct.pack(">I", (1 << 20) + 1),
        frame(b"{"),
        frame(b"[]"),
        frame(b"[" * 100_000),
        frame(b"\xff\xfe"),
    ],
)
def test_frames_that_are_none(raw: bytes) -> None:
    with pytest.raises(SandboxError, match="the sandbox answered with"):
        reply(multiplexed(raw))


@pytest.mark.parametrize("raw", [b"", b"\x01", multiplexed(frame(GOOD, b"ooexxxx"))[:-1], multiplexed(b"R")])
def test_an_end_before_the_end(raw: bytes) -> None:
    with pytest.raises(ChannelClosed):
        reply(raw)


def test_silence_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with pytest.raises(TimeoutError):
        read_reply(Channel(ours), REQUEST, SPEC, time.monotonic() + 0.05)
    theirs.close()


def test_a_drip_is_not_waited_for_either() -> None:
    """The deadline is for the whole result, not for each byte."""
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.01):
            theirs.send(struct.pack(">BxxxI", 1, 1) + b"R")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises((TimeoutError, SandboxError)):
            read_reply(Channel(ours), REQUEST, SPEC, time.monotonic() + 0.2)
    finally:
        stop.set()
        thread.join()
        ours.close()
        theirs.close()


def test_unsafe_names_are_left_out_with_a_note() -> None:
    found = reply(multiplexed(frame(GOOD | {"names": ["../x"]}, b"ooexxxx")))
    assert found.artifacts == () and "no safe name" in found.notes[0]


def test_a_name_comes_once() -> None:
    found = reply(multiplexed(frame(GOOD | {"names": ["a", "a"], "sizes": [0, 0, 1, 1]}, b"xy")))
    assert [each.data for each in found.artifacts] == [b"x"] and found.notes


def test_notes_are_short_plain_lines() -> None:
    found = reply(multiplexed(frame(GOOD | {"notes": ["a\n\x00 b" * 200] * 100}, b"ooexxxx")))
    assert len(found.notes) == 32 and all(len(note) <= 300 and "\n" not in note for note in found.notes)


def test_stderr_of_pid_1_is_no_part_of_a_frame() -> None:
    raw = multiplexed(b"Traceback", stream=2) + multiplexed(frame(GOOD, b"ooexxxx"))
    assert reply(raw).exit_code == 0


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_end_in_an_error_of_ours(raw: bytes) -> None:
    with pytest.raises((SandboxError, ChannelClosed, TimeoutError)):
        reply(multiplexed(raw), seconds=1)


@given(
    st.dictionaries(
        st.sampled_from(sorted(GOOD)),
        st.none() | st.integers() | st.text() | st.lists(st.integers() | st.text()),
    )
)
@settings(max_examples=60, deadline=None)
def test_any_message_is_a_reply_within_limits_or_an_error(change) -> None:
    try:
        found = reply(multiplexed(frame(GOOD | change, b"ooexxxx")), seconds=1)
    except (SandboxError, ChannelClosed, TimeoutError):
        return
    assert len(found.stdout) <= 750 and len(found.stderr) <= 250 and len(found.artifacts) <= 2
