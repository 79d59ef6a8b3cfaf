"""Names that are the same file everywhere, and types that the bytes say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.errors import InvalidArguments
from toolcrib_sandbox import media_type
from toolcrib_sandbox._names import check_inputs, is_safe


@pytest.mark.parametrize("name", ["a", "a.csv", "d/e/f.txt", "größe.png", "a b.txt", "a-b_c(1).txt"])
def test_safe(name: str) -> None:
    assert is_safe(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "../a",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        ".hidden",
        "-rf",
        "~root",
        "a\\b",
        "C:x",
        "a\x00b",
        "a\nb",
        "a\x1b[0m",
        "a\u202eb",
        "a*",
        "a?",
        "a|b",
        "a ",
        "a.",
        "\ud800",
        "d/d/d/d/d/d/d/d/d",
        "x" * 201,
        "/".join("d" * 9),
        "y/" * 300 + "z",
    ],
)
def test_not_safe(name: str) -> None:
    assert not is_safe(name)


@given(st.text(max_size=40))
def test_what_is_safe_stays_below_its_folder(name: str) -> None:
    if is_safe(name):
        import posixpath

        assert posixpath.normpath(name) == name and not name.startswith(("/", "..")) and "\0" not in name


def test_inputs_are_held_to_the_room_there_is() -> None:
    check_inputs({"a": b"x" * 10}, 10)
    with pytest.raises(InvalidArguments, match="11 bytes"):
        check_inputs({"a": b"x" * 11}, 10)
    with pytest.raises(InvalidArguments, match="safe name"):
        check_inputs({"../a": b""}, 10)
    with pytest.raises(InvalidArguments, match="257 inputs"):
        check_inputs({f"a{n}": b"" for n in range(257)}, 10)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "image/svg+xml"),
        (b"<?xml version='1.0'?>\n<!-- a plot -->\n<!DOCTYPE svg PUBLIC 'x'>\n<svg>", "image/svg+xml"),
        (b"<html><svg></svg></html>", "text/plain"),
        (b'{"a": [1, 2]}', "application/json"),
        (b"[1, 2", "text/plain"),
        (b"42", "text/plain"),
        (b"[" * 100_000, "text/plain"),
        (b"a,b\n1,2\n", "text/csv"),
        (b'a,b\n"x,y",2\n', "text/csv"),
        (b"a;b\n1;2\n", "text/csv"),
        (b"a,b\n1\n", "text/plain"),
        (b"plain text, with a comma", "text/plain"),
        (b"", "text/plain"),
        (b"\x89PNG but not", "application/octet-stream"),
        (b"\x00\x01", "application/octet-stream"),
        (b"esc \x1b[2J", "application/octet-stream"),
        (b"\xff\xfe\x00", "application/octet-stream"),
        (b"PK\x03\x04", "application/octet-stream"),
    ],
)
def test_the_bytes_say_what_it_is(data: bytes, kind: str) -> None:
    assert media_type(data) == kind


@given(st.binary(max_size=200))
def test_every_file_has_a_type(data: bytes) -> None:
    assert "/" in media_type(data)
