"""What a run left, as pid 1 looks for it: here, where things can be made that a sandbox cannot make."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolcrib_sandbox.guest.files import collect, put_inputs, search


@pytest.fixture
def box(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield opened
    os.close(opened)


def device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices, which is what keeps everybody else from it")


def listener(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (os.mkfifo, "fifo"),
        (device, "device"),
        (listener, "socket"),
        (lambda path: path.symlink_to("/etc/passwd"), "symbolic link"),
        (lambda path: path.hardlink_to(path.parent / "good"), "hard link"),
    ],
    ids=["fifo", "device", "socket", "symlink", "hard link"],
)
def test_only_regular_files_are_read(box: int, tmp_path: Path, make, told: str) -> None:
    """A fifo without a writer would be waited for until the end of time."""
    (tmp_path / "good").write_text("g")
    make(tmp_path / "x")
    found = collect(box, {}, 8, 100)
    assert found.names == ([] if told == "hard link" else ["good"])
    assert [note for note in found.notes if told in note]


def test_a_file_that_becomes_a_fifo_after_it_was_found_is_not_waited_for(
    box: int, tmp_path: Path, monkeypatch
) -> None:
    """Somebody who still writes may change what was looked at before it is read."""
    (tmp_path / "x").write_text("x")

    def late(box: int, notes: list[str] | None = None):
        found = search(box, notes)
        (tmp_path / "x").unlink()
        os.mkfifo(tmp_path / "x")
        return found

    monkeypatch.setattr("toolcrib_sandbox.guest.files.search", late)
    found = collect(box, {}, 8, 100)
    assert found.names == [] and "too large or not to be read" in found.notes[0]


def test_an_input_is_not_written_through_a_fifo_or_a_link(box: int, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(victim)
    for name in ("fifo", "link"):
        with pytest.raises(OSError, match=r"No such device|Too many levels"):
            put_inputs(box, [name], [b"theirs"])
    assert victim.read_text() == "mine"


def test_unchanged_inputs_do_not_come_back_and_the_count_and_size_are_held(box: int, tmp_path: Path) -> None:
    put_inputs(box, ["in/a", "b"], [b"a", b"b"])
    before = search(box)
    assert collect(box, before, 8, 100).names == []
    (tmp_path / "c").write_text("cc")
    (tmp_path / "d").write_text("dd")
    assert collect(box, before, 8, 100).contents == [b"cc", b"dd"]
    few = collect(box, before, 1, 100)
    assert few.names == ["c"] and few.notes == ["left out: 1 files more than the 1 that may come back"]
    small = collect(box, before, 8, 3)
    assert small.names == ["c"] and "'d', too large" in small.notes[0]
