"""Full disks, failing disks, missing folders, torn tails: an error that names things, no half record, and a
retry that works.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from toolcrib.audit import AuditLog, read, verify
from toolcrib.audit import _store as store_module
from toolcrib.errors import AuditError

BOTH = pytest.mark.parametrize("durability", ["fsync", "written"])


def calls(folder: Path) -> list[str]:
    return [record["call"] for record in read(folder) if "call" in record]


def run(code: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*prefix, sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


# --- the disk says no -------------------------------------------------------------------------------------


@BOTH
def test_no_room_in_the_file(folder: Path, durability: str):
    """The limit is real: the kernel cuts the write short and refuses the rest."""
    result = run(
        """
        import resource, sys
        from pathlib import Path
        from toolcrib.audit import AuditLog
        from toolcrib.errors import AuditError
        log = AuditLog(Path(sys.argv[1]), durability=sys.argv[2])
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        n = refused = 0
        while refused < 3:
            try:
                log.append_blocking({"kind": "intent", "call": f"{n}"}); n += 1
            except AuditError as error:
                refused += 1; message = str(error)
        size = (Path(sys.argv[1]) / "000001.jsonl").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        log.append_blocking({"kind": "intent", "call": f"{n}"})
        log.close()
        print(n); print(size); print(message)
        """,
        folder,
        durability,
    )
    assert result.returncode == 0, result.stderr
    count, size, message = result.stdout.splitlines()
    assert calls(folder) == [f"{n}" for n in range(int(count) + 1)]
    assert verify(folder).ok and int(size) < 5000
    assert "000001.jsonl" in message and "no call runs unaudited" in message and "ulimit -f" in message
    assert not (folder / "torn").exists()


MOUNTED = """
    import subprocess, sys
    from pathlib import Path
    from toolcrib.audit import AuditLog
    from toolcrib.errors import AuditError
    mount = Path(sys.argv[1]); mount.mkdir()
    def sh(*words): subprocess.run(words, check=True)
    try:
        sh("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount))
    except (subprocess.CalledProcessError, FileNotFoundError):
        sys.exit(77)
    log = AuditLog(mount / "audit", durability=sys.argv[2])
    def add(n): log.append_blocking({"kind": "intent", "call": f"{n}", "text": "x" * 3000})
    def refused(n):
        try: add(n)
        except AuditError as error: return str(error)
"""
"""Runs in a mount namespace of its own, so nothing of it is seen outside; 77 where that is not permitted."""


def run_mounted(code: str, tmp_path: Path, durability: str) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    result = run(
        textwrap.dedent(MOUNTED) + textwrap.dedent(code), tmp_path / "m", durability, prefix=("unshare", "-m")
    )
    if result.returncode == 77 or "unshare" in result.stderr:
        pytest.skip("no mounts here")
    assert result.returncode == 0, result.stderr


@BOTH
def test_a_full_disk(tmp_path: Path, durability: str):
    run_mounted(
        """
        from toolcrib.audit import read, verify
        n = 0
        while not (message := refused(n)): n += 1
        assert "No space left" in message and "Free disk space" in message, message
        assert "000001.jsonl" in message, message
        assert refused(n) and refused(n)
        sh("mount", "-o", "remount,size=1m", str(mount))
        add(n)
        log.close()
        assert [r["call"] for r in read(mount / "audit") if "call" in r] == [f"{i}" for i in range(n + 1)]
        assert verify(mount / "audit").ok and n > 5
        """,
        tmp_path,
        durability,
    )


@BOTH
def test_a_read_only_disk(tmp_path: Path, durability: str):
    run_mounted(
        """
        from toolcrib.audit import verify
        add(0)
        log.close()
        log = AuditLog(mount / "audit", durability=sys.argv[2])
        sh("mount", "-o", "remount,ro", str(mount))
        message = refused(1)
        assert "Read-only file system" in message and "writable" in message and "audit" in message, message
        assert verify(mount / "audit").records == 2
        sh("mount", "-o", "remount,rw", str(mount))
        add(1)
        log.close()
        assert verify(mount / "audit").ok and verify(mount / "audit").records == 4
        """,
        tmp_path,
        durability,
    )


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_sync_that_fails_confirms_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, code: int):
    log = AuditLog(folder)
    log.append_blocking({"kind": "intent", "call": "before"})
    size = (folder / "000001.jsonl").stat().st_size

    def failing(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(store_module, "fdatasync", failing)
    with pytest.raises(AuditError, match=r"000001\.jsonl") as caught:
        log.append_blocking({"kind": "intent", "call": "refused"})
    assert caught.value.rule and caught.value.remedy
    assert (folder / "000001.jsonl").stat().st_size == size
    monkeypatch.undo()
    log.append_blocking({"kind": "intent", "call": "after"})
    log.close()
    assert calls(folder) == ["before", "after"] and verify(folder).ok


async def test_a_failed_batch_fails_each_of_its_callers(folder: Path, monkeypatch: pytest.MonkeyPatch):
    log = AuditLog(folder)
    await log.append({"kind": "intent", "call": "before"})

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "gone")

    monkeypatch.setattr(store_module, "fdatasync", failing)
    answers = await asyncio.gather(
        *(log.append({"kind": "intent", "call": f"{n}"}) for n in range(20)), return_exceptions=True
    )
    monkeypatch.undo()
    assert all(isinstance(answer, AuditError) for answer in answers)
    assert len({id(answer) for answer in answers}) == 20
    await log.append({"kind": "intent", "call": "after"})
    log.close()
    assert calls(folder) == ["before", "after"]


def test_a_bug_in_the_writer_still_answers(folder: Path, monkeypatch: pytest.MonkeyPatch):
    log = AuditLog(folder)
    monkeypatch.setattr(store_module, "link", lambda *_: 1 / 0)
    with pytest.raises(AuditError, match="ZeroDivisionError"):
        log.append_blocking({"kind": "intent", "call": "c"})
    monkeypatch.undo()
    log.append_blocking({"kind": "intent", "call": "after"})
    log.close()
    assert calls(folder) == ["after"]


def test_a_write_cut_short_that_cannot_be_cut_back_is_set_aside_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    log = AuditLog(folder, durability="written")
    log.append_blocking({"kind": "intent", "call": "before"})

    def half(descriptor: int, data: bytes) -> int:
        os.write(descriptor, data[: len(data) // 2])
        raise OSError(errno.EIO, "gone")

    def no_cutting(descriptor: int, size: int) -> None:
        raise OSError(errno.EIO, "gone too")

    monkeypatch.setattr(store_module, "write", half)
    monkeypatch.setattr(store_module.os, "ftruncate", no_cutting)
    with pytest.raises(AuditError):
        log.append_blocking({"kind": "intent", "call": "lost"})
    monkeypatch.undo()
    assert verify(folder).problem is not None
    log.append_blocking({"kind": "intent", "call": "after"})
    log.close()
    assert calls(folder) == ["before", "after"] and verify(folder).ok
    assert any(record.get("event") == "torn line set aside" for record in read(folder))


# --- the folder is not there ------------------------------------------------------------------------------


@BOTH
def test_a_file_in_place_of_the_folder(folder: Path, durability: str):
    folder.write_text("not a folder")
    log = AuditLog(folder, durability=durability)
    with pytest.raises(AuditError, match=str(folder)) as caught:
        log.append_blocking({"kind": "intent", "call": "c"})
    assert "not a folder" in caught.value.remedy
    folder.unlink()
    log.append_blocking({"kind": "intent", "call": "c"})
    log.close()
    assert calls(folder) == ["c"]


@BOTH
def test_a_folder_deleted_under_the_log(folder: Path, durability: str):
    log = AuditLog(folder, durability=durability)
    log.append_blocking({"kind": "intent", "call": "0"})
    backup = folder.with_name("backup")
    shutil.copytree(folder, backup)
    shutil.rmtree(folder)
    for _ in range(3):
        with pytest.raises(AuditError, match=str(folder)) as caught:
            log.append_blocking({"kind": "intent", "call": "refused"})
        assert caught.value.rule and caught.value.remedy
    assert not folder.exists()
    folder.mkdir()
    with pytest.raises(
        AuditError, match="record 2 was there"
    ):  # an empty one in its place hides what was lost
        log.append_blocking({"kind": "intent", "call": "refused"})
    folder.rmdir()
    backup.rename(folder)
    log.append_blocking({"kind": "intent", "call": "1"})
    log.close()
    assert calls(folder) == ["0", "1"] and verify(folder).ok


# --- torn tails -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "torn",
    [b'{"hash":"12', b"\0", b"\0" * 5000, b"x\0\0\0\ny\n", b'{"a":1}\0\n' + b"\0" * 10, b"\xff\xfe"],
    ids=["half a line", "a zero", "zeros", "zeros between lines", "zeros after", "no text"],
)
@pytest.mark.parametrize("is_open", [False, True], ids=["found at opening", "found while open"])
def test_a_torn_tail_is_set_aside_and_told(folder: Path, torn: bytes, is_open: bool):
    log = AuditLog(folder, durability="written")
    log.append_blocking({"kind": "intent", "call": "before"})
    if not is_open:
        log.close()
        log = AuditLog(folder, durability="written")
    segment = folder / "000001.jsonl"
    whole = segment.read_bytes()
    segment.write_bytes(whole + torn)
    assert verify(folder).problem is not None
    log.append_blocking({"kind": "intent", "call": "after"})
    log.close()
    assert segment.read_bytes().startswith(whole)
    assert calls(folder) == ["before", "after"] and verify(folder).ok
    told = next(record for record in read(folder) if record.get("event") == "torn line set aside")
    assert (folder / told["file"]).read_bytes() == torn
    assert (told["bytes"], told["sha256"]) == (len(torn), hashlib.sha256(torn).hexdigest())


@pytest.mark.parametrize("torn", [b'{"hash":"12', b"\0\0"])
def test_a_log_torn_in_its_first_line(folder: Path, torn: bytes):
    folder.mkdir()
    (folder / "000001.jsonl").write_bytes(torn)
    log = AuditLog(folder, durability="written")
    log.append_blocking({"kind": "intent", "call": "c"})
    log.close()
    assert calls(folder) == ["c"] and verify(folder).ok


def test_a_segment_torn_in_its_first_line(folder: Path, fill: Callable[..., Path]):
    fill(4, segment_bytes=1200)
    last = sorted(folder.glob("*.jsonl"))[-1]
    assert last.name != "000001.jsonl"
    last.write_bytes(last.read_bytes()[:20])
    fill(1)
    assert verify(folder).ok


def test_an_interrupted_roll_is_finished(folder: Path, fill: Callable[..., Path]):
    fill(3)
    (folder / "000002.jsonl").touch()
    assert verify(folder).problem is not None
    fill(3, segment_bytes=1000)
    assert verify(folder).ok and len(calls(folder)) == 6


# --- what is no crash -------------------------------------------------------------------------------------


def test_a_log_whose_last_record_was_changed_is_not_continued(folder: Path, fill: Callable[..., Path]):
    fill(2)
    segment = folder / "000001.jsonl"
    data = segment.read_bytes()
    segment.write_bytes(data.replace(b'"call":"c1"', b'"call":"c9"'))
    log = AuditLog(folder)
    for _ in range(2):
        with pytest.raises(AuditError, match="was changed") as caught:
            log.append_blocking({"kind": "intent", "call": "refused"})
    assert "audit verify" in caught.value.remedy
    segment.write_bytes(data)
    log.append_blocking({"kind": "intent", "call": "after"})
    log.close()
    assert verify(folder).ok


def test_a_log_that_was_cut_while_open_is_not_continued(folder: Path):
    log = AuditLog(folder, durability="written")
    for n in range(3):
        log.append_blocking({"kind": "intent", "call": f"{n}"})
    segment = folder / "000001.jsonl"
    data = segment.read_bytes()
    segment.write_bytes(b"".join(data.splitlines(keepends=True)[:-1]))
    with pytest.raises(AuditError, match="it was cut"):
        log.append_blocking({"kind": "intent", "call": "refused"})
    with pytest.raises(AuditError, match="record 4 was there"):
        log.append_blocking({"kind": "intent", "call": "refused"})
    segment.write_bytes(data)
    log.append_blocking({"kind": "intent", "call": "3"})
    log.close()
    assert calls(folder) == ["0", "1", "2", "3"]


def test_foreign_lines_are_not_continued(folder: Path, fill: Callable[..., Path]):
    log = AuditLog(folder, durability="written")
    log.append_blocking({"kind": "intent", "call": "0"})
    with (folder / "000001.jsonl").open("ab") as file:
        file.write(b'{"kind":"intent"}\n')
    with pytest.raises(AuditError, match="does not continue the chain"):
        log.append_blocking({"kind": "intent", "call": "refused"})


def test_a_log_with_a_missing_segment_is_not_continued(folder: Path, fill: Callable[..., Path]):
    fill(9, segment_bytes=1200)
    (folder / "000002.jsonl").unlink()
    with pytest.raises(AuditError, match="a segment is missing"):
        AuditLog(folder).append_blocking({"kind": "intent", "call": "refused"})
