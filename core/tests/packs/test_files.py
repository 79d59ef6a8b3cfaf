"""The hash covers the bytes that would run, and nothing that differs between installers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from toolcrib.errors import PackError
from toolcrib.packs._files import read_files

OUTER = {"pack_one/inner/__init__.py": "", "pack_one/inner/deep.py": "A = 1", "pack_one/data.json": "{}"}


@pytest.fixture
def folder(shelf):
    return shelf.install(files=OUTER)


def now(shelf) -> str:
    return read_files(shelf.found()).hash


def test_every_file_counts(shelf, folder: Path) -> None:
    files = read_files(shelf.found())
    assert sorted(files.digests) == sorted(["pack_one/__init__.py", *OUTER])
    assert files.roots == ("pack_one",)
    assert files.notes == ()
    assert files.hash.startswith("sha256:")


@pytest.mark.parametrize("name", ["__init__.py", "inner/deep.py", "data.json"])
def test_an_edit_changes_the_hash_and_is_named(shelf, folder: Path, name: str) -> None:
    before = now(shelf)
    file = folder / name
    file.write_bytes(file.read_bytes() + b" ")
    assert now(shelf) != before
    assert read_files(shelf.found()).notes == (f"edited since it was installed: pack_one/{name}",)


def test_an_edit_that_keeps_size_and_time_changes_the_hash(shelf, folder: Path) -> None:
    before, file = now(shelf), folder / "inner" / "deep.py"
    stat = file.stat()
    file.write_text("A = 2")
    import os

    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert now(shelf) != before


@pytest.mark.parametrize("name", ["evil.py", "inner/evil.so", "evil.pyc", "sub/x.py", ".hidden"])
def test_an_added_file_changes_the_hash_and_is_named(shelf, folder: Path, name: str) -> None:
    before = now(shelf)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("")
    assert now(shelf) != before
    assert read_files(shelf.found()).notes == (f"added since it was installed: pack_one/{name}",)


def test_a_removed_file_changes_the_hash_and_is_named(shelf, folder: Path) -> None:
    before = now(shelf)
    (folder / "data.json").unlink()
    assert now(shelf) != before
    assert read_files(shelf.found()).notes == ("missing since it was installed: pack_one/data.json",)


def test_a_renamed_file_changes_the_hash(shelf, folder: Path) -> None:
    before = now(shelf)
    (folder / "inner" / "deep.py").rename(folder / "inner" / "deeper.py")
    assert now(shelf) != before


def test_what_the_installer_writes_does_not_count(shelf, folder: Path) -> None:
    before = now(shelf)
    (info,) = shelf.site.glob("*.dist-info")
    for name in ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"):
        (info / name).write_text(json.dumps({"url": "file:///elsewhere"}))
    record = info / "RECORD"
    record.write_text(record.read_text() + "../../bin/pack-one,sha256=x,1\n" + f"{info.name}/INSTALLER,,\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"anything")
    assert now(shelf) == before


@pytest.mark.parametrize("name", ["METADATA", "entry_points.txt"])
def test_the_metadata_that_decides_counts(shelf, folder: Path, name: str) -> None:
    before = now(shelf)
    (info,) = shelf.site.glob("*.dist-info")
    (info / name).write_text((info / name).read_text() + "\n# more\n")
    assert now(shelf) != before


def test_the_place_of_installation_does_not_count(shelf, folder: Path, tmp_path: Path) -> None:
    before = now(shelf)
    shutil.move(shelf.site, tmp_path / "elsewhere")
    shelf.prepend(tmp_path / "elsewhere")
    assert now(shelf) == before


def test_a_module_beside_the_package_counts(shelf) -> None:
    shelf.install(files={"pack_helper.py": "A = 1"})
    files = read_files(shelf.found())
    assert "pack_helper.py" in files.digests
    assert files.roots == ("pack_helper", "pack_one")


def test_a_shared_namespace_is_not_walked(shelf) -> None:
    shelf.install("pack_ns", files={"pack_space/one/__init__.py": ""})
    before = read_files(shelf.found("pack_ns")).hash
    (shelf.site / "pack_space" / "two").mkdir()
    (shelf.site / "pack_space" / "two" / "__init__.py").write_text("")
    files = read_files(shelf.found("pack_ns"))
    assert files.hash == before
    assert files.roots == ("pack_ns", "pack_space.one")


def test_a_folder_without_init_is_walked_when_the_pack_is_in_it(shelf) -> None:
    shelf.install("pack_flat", module="pack_bare.entry", files={"pack_bare/entry.py": "PACK_API = 1"})
    before = read_files(shelf.found("pack_flat")).hash
    (shelf.site / "pack_bare" / "evil.py").write_text("")
    assert read_files(shelf.found("pack_flat")).hash != before


def test_a_linked_file_counts_by_its_content(shelf, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.json"
    target.write_text("{}")
    (folder / "data.json").unlink()
    (folder / "data.json").symlink_to(target)
    before = now(shelf)
    target.write_text("[]")
    assert now(shelf) != before


def test_a_linked_folder_is_refused(shelf, folder: Path, tmp_path: Path) -> None:
    (folder / "linked").symlink_to(tmp_path)
    with pytest.raises(PackError, match="symbolic link"):
        read_files(shelf.found())


def test_a_file_that_cannot_be_read_is_refused(shelf, folder: Path) -> None:
    (folder / "gone.py").symlink_to(folder / "nowhere.py")
    with pytest.raises(PackError, match="cannot be read"):
        read_files(shelf.found())


def test_without_a_record_nothing_is_known(shelf, folder: Path) -> None:
    next(shelf.site.glob("*.dist-info/RECORD")).unlink()
    with pytest.raises(PackError, match="no RECORD") as caught:
        read_files(shelf.found())
    assert "wheel" in caught.value.remedy


def test_without_metadata_nothing_is_known(shelf, folder: Path) -> None:
    found = shelf.found()
    next(shelf.site.glob("*.dist-info/METADATA")).unlink()
    with pytest.raises(PackError, match="METADATA"):
        read_files(found)


@pytest.mark.parametrize("module", ["elsewhere", "elsewhere.inner:Plugin", "json", "pack_on"])
def test_an_entry_point_into_other_code_is_refused_because_the_hash_says_nothing_of_it(
    shelf, module: str
) -> None:
    """Else the other distribution could change, or be changed, and the lock would still fit."""
    shelf.install("elsewhere", distribution="other")
    shelf.install("pack_one", module=module)
    with pytest.raises(PackError, match="none of its own modules"):
        read_files(shelf.found())
    with pytest.raises(PackError, match="none of its own modules"):
        shelf.lock("pack_one")


@pytest.mark.parametrize("module", ["pack_one", "pack_one.inner", "pack_one.inner.deep:Plugin"])
def test_an_entry_point_may_lie_anywhere_in_the_distribution(shelf, module: str) -> None:
    shelf.install(files=OUTER, module=module)
    assert read_files(shelf.found()).roots == ("pack_one",)
