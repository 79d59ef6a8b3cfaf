"""Text is decoded in pieces, and reads as if it were decoded at once."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from toolcrib.errors import PolicyError
from toolcrib.policy._files import _PIECE, read_text


def written(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "policy.csv").write_bytes(data)
    return tmp_path / "policy.csv"


@pytest.mark.parametrize("character", ["é", "€", "😀", "\ufeff"])
@pytest.mark.parametrize("before", range(-4, 2))
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "mark"])
def test_a_character_across_two_pieces(tmp_path: Path, character: str, before: int, mark: bytes) -> None:
    text = "x" * (_PIECE + before) + character * 3
    assert read_text(written(tmp_path, mark + text.encode())) == text


def test_nothing_but_a_mark_is_nothing(tmp_path: Path) -> None:
    assert read_text(written(tmp_path, codecs.BOM_UTF8)) == ""


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80"])
@pytest.mark.parametrize("lines", [0, 1, 3 * _PIECE])
def test_the_first_line_that_is_no_text_is_named(tmp_path: Path, bad: bytes, lines: int) -> None:
    path = written(tmp_path, b"\n" * lines + b"a" + bad + b"\nb\xff\n")
    with pytest.raises(PolicyError, match=rf"policy.csv:{lines + 1}\D.*not UTF-8"):
        read_text(path)


@pytest.mark.parametrize("character", ["é", "€", "😀"])
def test_a_file_that_ends_within_a_character_is_half_a_file(tmp_path: Path, character: str) -> None:
    for data in (b"a\n" + character.encode()[:-1], b"a\n" * _PIECE + character.encode()[:-1]):
        with pytest.raises(PolicyError, match="not UTF-8"):
            read_text(written(tmp_path, data))
