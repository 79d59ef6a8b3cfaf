"""Names that are the same file everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.errors import InvalidArguments
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
