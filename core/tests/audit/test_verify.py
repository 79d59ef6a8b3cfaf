"""What was done to a log is named, with the right record: the words of the issue, one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from toolcrib.audit import AuditLog, Checkpoint, SigningKey, verify
from toolcrib.errors import AuditError

Fill = Callable[..., Path]
Rehash = Callable[[bytes], bytes]


def lines_of(folder: Path, number: int = 1) -> list[bytes]:
    return (folder / f"{number:06}.jsonl").read_bytes()[:-1].split(b"\n")


def put(folder: Path, lines: list[bytes], number: int = 1) -> None:
    (folder / f"{number:06}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


def found(folder: Path, **more: object) -> tuple[str, str, int | None]:
    problem = verify(folder, **more).problem
    assert problem is not None and problem.detail
    assert str(problem.seq or "") in str(problem) and problem.what in str(problem)
    return problem.what, problem.place, problem.seq


@pytest.fixture
def signed(fill: Fill, folder: Path, tmp_path: Path) -> tuple[Path, Checkpoint, SigningKey]:
    """Eleven records, and a checkpoint over all of them that is not in the folder."""
    fill(10)
    key = SigningKey.load_or_create(tmp_path / "key")
    log = AuditLog(folder)
    checkpoint = log.checkpoint(key, out=tmp_path / "shipped.json")
    log.close()
    for path in (folder / "checkpoints").iterdir():
        path.unlink()
    return folder, checkpoint, key


# --- a good log -------------------------------------------------------------------------------------------


def test_a_good_log(fill: Fill):
    result = verify(fill(10))
    assert result.ok and result.problem is None
    assert (result.records, result.segments, result.protected) == (11, 1, 0)


def test_head_and_bytes_are_those_of_the_file(fill: Fill, folder: Path):
    result = verify(fill(10))
    assert result.head.encode() == lines_of(folder)[-1][9:73]
    assert result.bytes == (folder / "000001.jsonl").stat().st_size


def test_a_log_of_many_segments(fill: Fill):
    result = verify(fill(50, segment_bytes=2000))
    assert result.ok and result.segments > 5


def test_a_folder_without_records_is_empty_not_bad(folder: Path):
    folder.mkdir()
    result = verify(folder)
    assert result.ok and (result.records, result.segments) == (0, 0)


def test_a_folder_that_is_not_there_is_an_error(folder: Path):
    with pytest.raises(AuditError, match=str(folder)):
        verify(folder)


def test_progress_is_told_in_bytes(fill: Fill):
    told: list[tuple[int, int]] = []
    result = verify(fill(50, segment_bytes=2000), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (result.bytes, result.bytes) and len(told) == result.segments


def test_a_log_that_is_being_written_verifies(fill: Fill, folder: Path):
    log = AuditLog(folder, durability="written", segment_bytes=1500)
    for n in range(30):
        log.append_blocking({"kind": "intent", "call": f"{n}"})
        assert verify(folder).ok
    log.close()


# --- edit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 1, 5, 10])
def test_an_edited_record_is_named(fill: Fill, folder: Path, at: int):
    lines = lines_of(fill(10))
    lines[at] = lines[at].replace(b'"record":{', b'"record":{"a":1,', 1)
    put(folder, lines)
    assert found(folder) == ("edited", f"000001.jsonl:{at + 1}", at + 1)


def test_an_edited_record_in_a_later_segment_is_named(fill: Fill, folder: Path):
    fill(20, segment_bytes=2000)
    before = sum(len(lines_of(folder, number)) for number in (1, 2))
    lines = lines_of(folder, 3)
    lines[1] = lines[1].replace(b'"n":', b'"m":')
    put(folder, lines, 3)
    assert found(folder) == ("edited", "000003.jsonl:2", before + 2)


@pytest.mark.parametrize("at", [0, 1, 5, 9])
def test_an_edited_record_with_its_hash_made_anew_is_named(fill: Fill, folder: Path, rehash: Rehash, at: int):
    lines = lines_of(fill(10))
    lines[at] = rehash(lines[at].replace(b'"kind":"', b'"kind":"x', 1))
    put(folder, lines)
    assert found(folder) == ("edited", f"000001.jsonl:{at + 1}", at + 1)


def test_a_record_made_earlier_than_the_one_before_is_named(fill: Fill, folder: Path, rehash: Rehash):
    lines = lines_of(fill(3))
    at = lines[3].index(b'"ts":"') + 6
    lines[3] = rehash(lines[3][:at] + b"1999" + lines[3][at + 4 :])
    put(folder, lines)
    assert found(folder) == ("edited", "000001.jsonl:4", 4)


def test_a_record_with_another_number_is_named(fill: Fill, folder: Path, rehash: Rehash):
    lines = lines_of(fill(3))
    lines[2] = rehash(lines[2].replace(b'"seq":3', b'"seq":4'))
    put(folder, lines)
    assert found(folder) == ("edited", "000001.jsonl:3", 3)


# --- deletion ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gone", "seq"), [([0], 1), ([5], 6), ([4, 5, 6], 5), ([0, 1, 2], 1)])
def test_deleted_records_are_named(fill: Fill, folder: Path, gone: list[int], seq: int):
    lines = lines_of(fill(10))
    put(folder, [line for number, line in enumerate(lines) if number not in gone])
    assert found(folder) == ("deleted", f"000001.jsonl:{seq}", seq)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_deleted_segment_is_named(fill: Fill, folder: Path, number: int):
    fill(30, segment_bytes=2000)
    seq = 1 + sum(len(lines_of(folder, before)) for before in range(1, number))
    (folder / f"{number:06}.jsonl").unlink()
    assert found(folder) == ("deleted", f"{number:06}.jsonl", seq)


def test_the_last_segment_deleted_is_a_cut_log(fill: Fill, folder: Path):
    fill(30, segment_bytes=2000)
    *_, before, last = sorted(folder.glob("*.jsonl"))
    last.unlink()
    what, place, _ = found(folder)
    assert (what, place.split(":")[0]) == ("cut", before.name)


def test_a_segment_whose_last_lines_were_deleted_is_named(fill: Fill, folder: Path):
    fill(30, segment_bytes=2000)
    lines = lines_of(folder, 2)
    put(folder, lines[:-1], 2)
    assert found(folder)[0] == "deleted"
    put(folder, lines[:-2], 2)
    assert found(folder)[0] == "deleted"


# --- swap -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), [(0, 1), (3, 4), (2, 8), (0, 10)])
def test_swapped_records_are_named(fill: Fill, folder: Path, one: int, other: int):
    lines = lines_of(fill(10))
    lines[one], lines[other] = lines[other], lines[one]
    put(folder, lines)
    assert found(folder) == ("swapped", f"000001.jsonl:{one + 1}", other + 1)


def test_records_swapped_between_segments_are_named(fill: Fill, folder: Path):
    fill(20, segment_bytes=2000)
    one, two = lines_of(folder, 1), lines_of(folder, 2)
    seq = len(one) + 2
    one[2], two[1] = two[1], one[2]
    put(folder, one, 1)
    put(folder, two, 2)
    assert found(folder) == ("swapped", "000001.jsonl:3", seq)


def test_segments_that_changed_names_are_named(fill: Fill, folder: Path):
    fill(30, segment_bytes=2000)
    first, second, aside = folder / "000001.jsonl", folder / "000002.jsonl", folder / "x"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    assert found(folder)[1] == "000001.jsonl:1"


@pytest.mark.parametrize("number", [1, 2])
def test_lines_moved_over_the_border_of_segments_are_found(fill: Fill, folder: Path, number: int):
    """The chain is whole, but not the files."""
    fill(30, segment_bytes=2000)
    one, two = lines_of(folder, number), lines_of(folder, number + 1)
    put(folder, [*one, two[0]], number)
    put(folder, two[1:], number + 1)
    assert found(folder) == ("inserted", f"{number:06}.jsonl:{len(one) + 1}", found(folder)[2])
    put(folder, one[:-1], number)
    put(folder, [one[-1], *two], number + 1)
    assert not verify(folder).ok


def test_two_segments_made_one_are_found(fill: Fill, folder: Path):
    fill(30, segment_bytes=100_000)
    put(folder, lines_of(folder))
    fill(1, segment_bytes=1)
    assert len(list(folder.glob("*.jsonl"))) == 2 and verify(folder).ok
    put(folder, lines_of(folder, 1) + lines_of(folder, 2))
    (folder / "000002.jsonl").unlink()
    assert found(folder)[0] == "inserted"


# --- insertion --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 5, 10, 11])
def test_a_copied_record_is_named(fill: Fill, folder: Path, at: int):
    lines = lines_of(fill(10))
    put(folder, [*lines[:at], lines[0], *lines[at:]])
    assert found(folder)[:2] == ("inserted", f"000001.jsonl:{at + 1}")


@pytest.mark.parametrize("at", [2, 6, 10])
def test_a_record_forged_into_the_chain_is_named(fill: Fill, folder: Path, rehash: Rehash, at: int):
    """It fits the record before it and has a right hash; the record that it displaced gives it away."""
    lines = lines_of(fill(10))
    forged = rehash(lines[at].replace(b'"call":"c', b'"call":"x'))
    put(folder, [*lines[:at], forged, *lines[at:]])
    # At the very end nothing tells which of the two is the true one; the later line is named then.
    line = at + 1 if at < 10 else at + 2
    assert found(folder) == ("inserted", f"000001.jsonl:{line}", at + 1)


@pytest.mark.parametrize("line", [b"", b"{}", b"hello", b'{"kind":"intent"}'])
def test_a_foreign_line_is_found(fill: Fill, folder: Path, line: bytes):
    lines = lines_of(fill(5))
    put(folder, [*lines[:3], line, *lines[3:]])
    assert found(folder)[1] == "000001.jsonl:4"


@pytest.mark.parametrize("name", ["000003.jsonl", "000002.jsonl", "1.jsonl", "000001.jsonl.bak", "notes.txt"])
def test_a_file_too_many_is_named(fill: Fill, folder: Path, name: str):
    fill(5)
    (folder / name).write_bytes(b"")
    assert name in found(folder)[1] + str(verify(folder).problem)


# --- torn -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_torn_last_line_is_named(fill: Fill, folder: Path, cut: int):
    path = fill(5) / "000001.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert found(folder) == ("torn", "000001.jsonl:6", 6)


def test_a_line_without_end_does_not_eat_the_memory(fill: Fill, folder: Path):
    path = fill(2) / "000001.jsonl"
    with path.open("r+b") as file:
        file.truncate(1 << 36)  # a hole: nothing is stored
    assert found(folder) == ("torn", "000001.jsonl:4", 4)


# --- cut tail, rewritten history, signatures: against a checkpoint ----------------------------------------


@pytest.mark.parametrize("left", [0, 1, 5, 10])
def test_a_cut_tail_is_named_against_a_checkpoint(signed: tuple[Path, Checkpoint, SigningKey], left: int):
    folder, checkpoint, _ = signed
    put(folder, lines_of(folder)[:left])
    assert verify(folder).ok  # nothing in the log itself shows it
    assert found(folder, checkpoint=checkpoint) == ("cut", "000001.jsonl", left + 1)


def test_a_log_cut_to_nothing_is_named_against_a_checkpoint(signed: tuple[Path, Checkpoint, SigningKey]):
    folder, checkpoint, _ = signed
    (folder / "000001.jsonl").unlink()
    assert found(folder, checkpoint=checkpoint)[0] == "cut"


def test_a_history_chained_anew_is_named_against_a_checkpoint(
    signed: tuple[Path, Checkpoint, SigningKey], tmp_path: Path
):
    folder, checkpoint, _ = signed
    for path in folder.glob("*.jsonl"):
        path.unlink()
    log = AuditLog(folder, durability="written")
    for number in range(12):
        log.append_blocking({"kind": "intent", "call": f"c{number}", "arguments": {"n": -number}})
    log.close()
    assert verify(folder).ok
    assert found(folder, checkpoint=checkpoint) == ("rewritten", "000001.jsonl", 11)


def test_the_records_that_a_checkpoint_covers_are_counted(
    signed: tuple[Path, Checkpoint, SigningKey], fill: Fill
):
    folder, checkpoint, key = signed
    fill(3)
    result = verify(folder, checkpoint=checkpoint, public_key=key.public)
    assert result.ok and (result.protected, result.records) == (11, 15)
    assert "Records 1 to 11" in result.notes[0] and "not protected from the holder" in result.notes[0]


def test_a_change_is_found_between_two_checkpoints(fill: Fill, folder: Path, tmp_path: Path, rehash: Rehash):
    key = SigningKey.load_or_create(tmp_path / "key")
    for _ in range(3):
        fill(5, key=key)
    assert verify(folder).protected == 18
    lines = lines_of(folder)
    head = lines[11][9:73]
    for at in range(12, 18):  # everything from record 13 on is chained anew, over a changed record 13
        line = lines[at].replace(b'"kind":"', b'"kind":"x', 1) if at == 12 else lines[at]
        lines[at] = rehash(line.replace(line[90:154], head))
        head = lines[at][9:73]
    put(folder, lines)
    result = verify(folder)
    assert result.problem is not None and (result.problem.what, result.problem.seq) == ("rewritten", 18)
    assert "records 13 to 18" in result.problem.detail and result.protected == 12


def test_a_checkpoint_by_another_key_is_refused(signed: tuple[Path, Checkpoint, SigningKey], tmp_path: Path):
    folder, checkpoint, _ = signed
    other = SigningKey.load_or_create(tmp_path / "other")
    assert found(folder, checkpoint=checkpoint, public_key=other.public) == (
        "bad signature",
        "the shipped checkpoint",
        11,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [('"records":11', '"records":10'), ('"v":1', '"v":2'), ('"ts":"2', '"ts":"3'), ("{", "{ ")],
)
def test_a_changed_checkpoint_in_the_folder_is_refused(
    signed: tuple[Path, Checkpoint, SigningKey], old: str, new: str
):
    folder, checkpoint, _ = signed
    path = folder / "checkpoints" / "000000000011.json"
    path.write_text(checkpoint.to_json().decode().replace(old, new, 1))
    assert found(folder)[:2] == ("bad signature", "checkpoints/000000000011.json")


def test_a_shipped_file_that_is_no_checkpoint_is_an_error(fill: Fill, tmp_path: Path):
    (tmp_path / "junk").write_text("junk")
    with pytest.raises(AuditError, match="no checkpoint"):
        verify(fill(1), checkpoint=tmp_path / "junk")
    with pytest.raises(AuditError, match="missing"):
        verify(fill(1), checkpoint=tmp_path / "missing")


# --- plain words ------------------------------------------------------------------------------------------


def test_without_a_checkpoint_it_says_that_nothing_is_protected(fill: Fill):
    notes = verify(fill(2)).notes
    assert "No checkpoint covers any record" in notes[0]
    assert any("No shipped checkpoint was given" in note for note in notes)


def test_with_shipped_checkpoint_and_pinned_key_it_says_what_is_left(
    signed: tuple[Path, Checkpoint, SigningKey],
):
    folder, checkpoint, key = signed
    notes = verify(folder, checkpoint=checkpoint, public_key=key.public).notes
    assert len(notes) == 1 and "would not be missed" in notes[0]


def test_without_a_pinned_key_it_says_so(signed: tuple[Path, Checkpoint, SigningKey]):
    folder, checkpoint, _ = signed
    assert any("No public key was pinned" in note for note in verify(folder, checkpoint=checkpoint).notes)


def test_a_bad_log_says_nothing_of_what_comes_after(fill: Fill, folder: Path):
    lines = lines_of(fill(5))
    put(folder, [lines[0], *lines[2:]])
    result = verify(folder)
    assert result.records == 1 and "nothing is said of those after it" in result.notes[0]


def test_a_segment_that_is_a_link_is_refused_though_every_record_is_good(fill: Fill, tmp_path: Path):
    folder = fill(50, segment_bytes=2000)
    assert verify(folder).ok
    elsewhere = tmp_path / "elsewhere.jsonl"
    (folder / "000002.jsonl").rename(elsewhere)
    (folder / "000002.jsonl").symlink_to(elsewhere)
    assert found(folder) == ("not a file", "000002.jsonl", None)
    assert "a link to" in str(verify(folder).problem)


def test_a_segment_that_is_a_folder_is_refused(fill: Fill):
    folder = fill(50, segment_bytes=2000)
    (folder / "000002.jsonl").unlink()
    (folder / "000002.jsonl").mkdir()
    assert found(folder) == ("not a file", "000002.jsonl", None)
