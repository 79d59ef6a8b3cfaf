"""`toolcrib.lock`: written for people, read strictly, replaced whole."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcrib.errors import PackError
from toolcrib.packs import Lock, LockedPack, LockedTool

TOOL = LockedTool("read", "Look at a thing.", ('type = "object"',), "f" * 64, labels=("untrusted",))
PACK = LockedPack(
    "dist-one", "1.0", "pack_one", 1, "sha256:aa", ("toolcrib_toolkits",), {"pack_one.look": TOOL}
)


def test_a_missing_lock_locks_nothing(tmp_path: Path) -> None:
    assert Lock.read(tmp_path / "toolcrib.lock") == Lock()


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "toolcrib.lock"
    lock = Lock({"two": PACK, "one": PACK})
    lock.write(file)
    assert Lock.read(file) == lock


def test_the_file_is_sorted_and_says_what_it_is() -> None:
    text = Lock({"two": PACK, "one": PACK}).text()
    assert text.startswith("# Written by `toolcrib packs lock`")
    assert text.index('[packs."one"]') < text.index('[packs."two"]')
    assert text == Lock({"one": PACK, "two": PACK}).text()


def test_a_pack_is_told_one_fact_a_line() -> None:
    lines = Lock({"one": PACK}).text().splitlines()
    assert 'distribution = "dist-one"' in lines
    assert 'hooks = ["toolcrib_toolkits"]' in lines
    assert 'description = "Look at a thing."' in lines
    assert "sequence = 1" in lines


def test_what_a_reviewer_could_not_see_is_an_escape() -> None:
    hidden = LockedTool("read", "ok\u200b\x1b[2K\U000e0041\nnext", (), "")
    text = Lock({"one": LockedPack("d", "1", "m", 1, "h", (), {"one.t": hidden})}).text()
    assert "\\U0000200b\\U0000001b[2K\\U000e0041\\nnext" in text
    assert all(char.isprintable() or char == "\n" for char in text)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(name: str, description: str) -> None:
    tool = LockedTool("send", description, (description, name), "")
    lock = Lock({"one": LockedPack(description, name, name, 7, name, (name,), {name: tool})})
    data = tomllib.loads(lock.text())["packs"]["one"]
    assert data["distribution"] == description
    assert data["tools"][name]["description"] == description
    assert sorted(data["tools"][name]["schema"]) == sorted((description, name))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version = \n", "line 1"),
        ("", "version: Field required"),
        ("version = 1", "version = 1"),
        ("version = 2\npakcs = 1", "pakcs: unknown key"),
        ("version = 2\npacks = 3", "packs"),
        ('version = 2\n[packs.one]\ndistribution = "d"', "[packs.one] version: Field required"),
        ("version = 2\n[packs.one]\nverzion = 3", "verzion: unknown key"),
        (Lock({"one": PACK}).text().replace("sequence = 1", 'sequence = "1"'), "[packs.one] sequence"),
        (Lock({"one": PACK}).text().replace('"read"', '"readd"'), '[packs.one.tools."pack_one.look"] effect'),
        (Lock({"one": PACK}).text().replace("effect", "efect"), "efect: unknown key"),
        (Lock({"one": PACK}).text() + "more = 1\n", "more: unknown key"),
        ("version = 2\n[packs.one]\ntools = 3", "[packs.one]"),
        ("version = 2\n[packs.one.tools]\nx = 3", '[packs.one.tools."x"]'),
    ],
)
def test_a_broken_lock_is_refused_whole(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "toolcrib.lock"
    file.write_text(text)
    with pytest.raises(PackError) as caught:
        Lock.read(file)
    assert told in str(caught.value)
    assert str(file) in caught.value.what
    assert "version control" in caught.value.remedy


def test_a_lock_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "toolcrib.lock"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(PackError, match="UTF-8"):
        Lock.read(file)


def test_a_lock_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "toolcrib.lock"
    Lock({"one": PACK}).write(file)
    before = file.read_text()
    broken = LockedPack("\ud800", "1", "m", 1, "h")
    with pytest.raises(UnicodeEncodeError):
        # A lone surrogate is escaped by us, so only a disk or an encoding fault gets here: force one.
        _Unwritable({"one": broken}).write(file)
    assert file.read_text() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["toolcrib.lock"]


class _Unwritable(Lock):
    def text(self) -> str:
        return "\ud800"


def test_a_new_pack_comes_after_all_others() -> None:
    lock = Lock({"one": PACK, "two": LockedPack("d", "1", "m", 9, "h")})
    assert lock.next_sequence == 10
    assert Lock().next_sequence == 1


def test_packs_are_added_replaced_and_removed() -> None:
    newer = LockedPack("d", "2", "m", 1, "h")
    lock = Lock({"one": PACK, "two": PACK}).changed({"one": newer, "three": PACK}, {"two"})
    assert lock.packs == {"one": newer, "three": PACK}
