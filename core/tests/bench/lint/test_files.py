"""Folders as they should not be: one clear finding, and never an exception."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolcrib.bench.lint import examine, lint, lint_text
from toolcrib.policy import MODEL, Policy

GOOD = "p, *, *, *, *, True, allow\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.conf").write_text(MODEL)
    (tmp_path / "policy.csv").write_text(GOOD)
    return tmp_path


def only(folder: Path) -> tuple[str, str, int]:
    (found,) = lint(folder)
    assert found.severity == "error"
    assert found.remedy
    assert str(folder) in found.file
    return found.id, found.what, found.line


def test_a_good_folder(folder: Path) -> None:
    seen = examine(folder)
    assert [one.id for one in seen.findings] == ["TC600"]
    assert (seen.rows, seen.revision) == (1, Policy.load(folder).revision)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    id, what, _ = only(tmp_path / "nowhere")
    assert (id, what) == ("TC100", "cannot be read: No such file or directory")


def test_a_symbolic_link_to_itself(folder: Path) -> None:
    (folder / "policy.csv").unlink()
    (folder / "policy.csv").symlink_to("policy.csv")
    assert "symbolic links" in only(folder)[1]


def test_a_binary_file(folder: Path) -> None:
    (folder / "policy.csv").write_bytes(b"\x7fELF\0\0\xff")
    assert only(folder)[:2] == ("TC100", "contains a NUL byte")


def test_other_encodings_name_the_line(folder: Path) -> None:
    (folder / "policy.csv").write_bytes(GOOD.encode() + "# Müller".encode("latin-1"))
    assert only(folder) == ("TC100", "is not UTF-8", 2)


def test_a_huge_file_is_not_read_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolcrib.policy._files.MAX_BYTES", 2**20)  # else this would take its 256 MiB
    with (folder / "policy.csv").open("wb") as file:
        file.truncate(2**30)
    assert "is larger than" in only(folder)[1]


def test_a_pipe(folder: Path) -> None:
    (folder / "policy.csv").unlink()
    os.mkfifo(folder / "policy.csv")
    assert "is not a file" in only(folder)[1]


def test_a_byte_order_mark_and_crlf_are_fine_and_columns_hold(folder: Path) -> None:
    (folder / "policy.csv").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert examine(folder).rows == 1
    (folder / "policy.csv").write_bytes(b"\xef\xbb\xbfp, *, *, *, *, True, Allow\r\n")
    (found,) = lint(folder)
    assert (found.id, found.line, found.column) == ("TC111", 1, 22)


def test_half_a_file(folder: Path) -> None:
    (folder / "policy.csv").write_text(GOOD + "p, *, *, cr")
    assert [one.id for one in lint(folder)] == ["TC102"]


def test_the_place_is_the_path_as_it_was_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "policy.csv").write_text("x\n")
    monkeypatch.chdir(folder.parent)
    (found,) = lint(Path(folder.name))
    assert found.place == f"{folder.name}/policy.csv:1:1"


def test_a_custom_model_is_a_note_and_not_a_python_warning() -> None:
    model = MODEL.replace('p.sub == "*" || ', "")
    assert [(one.id, one.severity) for one in lint_text(model, GOOD)] == [("TC308", "note")]


def test_rows_of_a_table_keep_their_numbers() -> None:
    found = lint_text(MODEL, "p, *, *, *, *, True, allow\nx", file="policy_rules", numbers=[7, 40])
    assert [(one.file, one.line, one.column) for one in found] == [("policy_rules", 40, 1)]
