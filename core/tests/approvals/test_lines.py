"""Lines from a file descriptor, ended from outside."""

from __future__ import annotations

import io
import os
import threading

import pytest

from toolcrib.approvals._lines import Lines, Stopped


@pytest.fixture
def pipe():
    """Lines of a pipe, and what writes to it."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as stream:
        open_end = [writer]

        def write(data):
            if data is None:
                os.close(open_end.pop())
            else:
                os.write(writer, data)

        yield Lines(stream), write
        for end in open_end:
            os.close(end)


def going():
    return threading.Event()


def test_lines_come_one_by_one_however_they_were_written(pipe):
    lines, write = pipe
    write(b"one\ntwo\nth")
    write(b"ree\n\n")
    assert [lines.read(going(), 60) for _ in range(4)] == ["one", "two", "three", ""]


def test_the_last_line_needs_no_end(pipe):
    lines, write = pipe
    write(b"one\nlast")
    write(None)
    assert [lines.read(going(), 60) for _ in range(3)] == ["one", "last", None]


def test_what_is_no_utf8_is_replaced(pipe):
    lines, write = pipe
    write(b"\xff\xfea\n")
    assert lines.read(going(), 60) == "\ufffd\ufffda"


def test_a_read_that_is_stopped_before_it_begins_does_not_wait(pipe):
    lines, _ = pipe
    stopped = going()
    stopped.set()
    with pytest.raises(Stopped):
        lines.read(stopped, 60)


def test_a_read_is_stopped_from_another_thread(pipe):
    lines, write = pipe
    stopped, ended = going(), []

    def read():
        try:
            lines.read(stopped, 60)
        except Stopped:
            ended.append("stopped")

    thread = threading.Thread(target=read)
    thread.start()
    stopped.set()
    while thread.is_alive():
        lines.wake()
        thread.join(0.01)
    assert ended == ["stopped"]
    write(b"for the next\n")
    assert lines.read(going(), 60) == "for the next"


def test_being_woken_for_somebody_else_ends_nothing(pipe):
    lines, write = pipe
    got = []
    thread = threading.Thread(target=lambda: got.append(lines.read(going(), 60)))
    thread.start()
    while lines._wake is None:
        pass
    lines.wake()
    write(b"still here\n")
    thread.join()
    assert got == ["still here"]


def test_waking_nobody_is_harmless(pipe):
    lines, _ = pipe
    lines.wake()


def test_time_ends_a_read(pipe):
    lines, _ = pipe
    with pytest.raises(Stopped):
        lines.read(going(), 0.0)


def test_half_a_line_is_kept_when_a_read_ends(pipe):
    lines, write = pipe
    write(b"hal")
    with pytest.raises(Stopped):
        lines.read(going(), 0.01)
    write(b"f\n")
    assert lines.read(going(), 60) == "half"


def test_a_text_stream_without_a_descriptor_is_simply_read():
    lines = Lines(io.StringIO("one\nlast"))
    lines.forget_typed()
    assert [lines.read(going(), 60) for _ in range(3)] == ["one\n", "last", None]


def test_a_pipe_forgets_nothing(pipe):
    """Only what was typed at a terminal can be meant for another question; scripts keep their order."""
    lines, write = pipe
    write(b"one\ntwo\n")
    assert lines.read(going(), 60) == "one"
    lines.forget_typed()
    assert lines.read(going(), 60) == "two"


def test_no_descriptors_are_left_open(pipe):
    lines, write = pipe
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        write(b"x\n")
        lines.read(going(), 60)
    assert len(os.listdir("/proc/self/fd")) == before
