"""Types that the bytes say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.media import is_image, media_type_of

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a --><!-- b -->\n<svg>", "image/svg+xml"),
        (b"<?xml version='1.0'?>\n<!-- a plot -->\n<!DOCTYPE svg PUBLIC 'x'>\n<svg>", "image/svg+xml"),
        (b"<!DOCTYPE svg [<!ENTITY a 'b'>]>\n<svg>", "text/plain"),
        (b"<svgx>", "text/plain"),
        (b"<html><svg></svg></html>", "text/plain"),
        (b"%PDF-1.7", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b\x08", "application/gzip"),
        (b'{"a": [1, 2]}', "application/json"),
        (b"[1, 2", "text/plain"),
        (b"{a", "text/plain"),
        (b"42", "text/plain"),
        (b"[" * 100_000, "text/plain"),
        (b"a,b\n1,2\n", "text/csv"),
        (b'a,b\n"x,y",2\n', "text/csv"),
        (b"a;b\n1;2\n", "text/csv"),
        (b"a,b\n1\n", "text/plain"),
        (b"plain text, with a comma", "text/plain"),
        ("grün".encode(), "text/plain"),
        (b"", "text/plain"),
        (b"\x89PNG but not", "application/octet-stream"),
        (b"\x00\x01", "application/octet-stream"),
        (b"a\0b", "application/octet-stream"),
        (b"esc \x1b[2J", "application/octet-stream"),
        (b"\xff\xfe\x00", "application/octet-stream"),
    ],
)
def test_bytes_say_what_they_are(data: bytes, kind: str) -> None:
    assert media_type_of(data) == kind
    assert is_image(kind) == kind.startswith("image/")


def test_a_thousand_comments_are_looked_at_once() -> None:
    assert media_type_of(b"<!---->" * 10_000) == "text/plain"  # would not end if each could end elsewhere


@given(st.binary(max_size=200))
def test_every_file_has_a_type(data: bytes) -> None:
    assert "/" in media_type_of(data)
