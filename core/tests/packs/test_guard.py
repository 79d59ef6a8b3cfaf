"""The ways around the hash: a shadowing folder, cached bytecode, an edit after the check."""

from __future__ import annotations

import importlib
import py_compile
import sys
from pathlib import Path

import pytest

from toolcrib.packs._files import read_files
from toolcrib.packs._guard import forget, guard, unguard


@pytest.fixture
def folder(shelf) -> Path:
    return shelf.install(
        files={
            "pack_one/late.py": "SAID = 'checked'",
            "pack_one/sub/note.txt": "hello",
            "pack_helper.py": "SAID = 'helper'",
        }
    )


def poison(file: Path) -> None:
    """Give `file` a cached bytecode that says something else, for the same time and size."""
    honest = file.read_text()
    stat = file.stat()
    file.write_text("SAID = 'poison!'"[: len(honest)].ljust(len(honest)))
    import os

    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    py_compile.compile(str(file), doraise=True)
    file.write_text(honest)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_python_itself_runs_poisoned_bytecode(shelf, folder: Path) -> None:
    poison(folder / "late.py")
    assert importlib.import_module("pack_one.late").SAID == "poison!"  # hence the guard


def test_a_guarded_pack_runs_its_source(shelf, folder: Path) -> None:
    poison(folder / "late.py")
    guard(read_files(shelf.found()))
    assert importlib.import_module("pack_one.late").SAID == "checked"


def test_a_guarded_pack_leaves_no_bytecode(shelf, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    guard(read_files(shelf.found()))
    importlib.import_module("pack_one.late")
    assert not (folder / "__pycache__").exists()


def test_a_shadow_earlier_on_the_path_is_not_seen(shelf, folder: Path, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow" / "pack_one"
    shadow.mkdir(parents=True)
    (shadow / "__init__.py").write_text("SHADOW = True")
    shelf.prepend(shadow.parent)
    found = shelf.found()
    guard(read_files(found))
    module = importlib.import_module("pack_one")
    assert not hasattr(module, "SHADOW")
    assert Path(module.__file__).parent == folder


def test_an_edit_after_the_check_is_not_run(shelf, folder: Path) -> None:
    guard(read_files(shelf.found()))
    importlib.import_module("pack_one")
    (folder / "late.py").write_text("SAID = 'edited'")
    with pytest.raises(ImportError, match="changed since it was checked"):
        importlib.import_module("pack_one.late")


def test_a_file_added_after_the_check_is_not_run(shelf, folder: Path) -> None:
    guard(read_files(shelf.found()))
    importlib.import_module("pack_one")
    (folder / "evil.py").write_text("SAID = 'evil'")
    importlib.invalidate_caches()
    with pytest.raises(ImportError, match="not a file that was checked"):
        importlib.import_module("pack_one.evil")


def test_sourceless_bytecode_that_was_swapped_is_not_run(shelf, folder: Path) -> None:
    compiled = folder / "only.pyc"
    py_compile.compile(str(folder / "late.py"), cfile=str(compiled), doraise=True)
    guard(read_files(shelf.found()))
    compiled.write_bytes(compiled.read_bytes() + b"x")
    with pytest.raises(ImportError, match="has changed"):
        importlib.import_module("pack_one.only")


def test_sourceless_bytecode_that_was_hashed_runs(shelf, folder: Path) -> None:
    py_compile.compile(str(folder / "late.py"), cfile=str(folder / "only.pyc"), doraise=True)
    guard(read_files(shelf.found()))
    assert importlib.import_module("pack_one.only").SAID == "checked"


def test_a_module_that_is_not_there_is_an_ordinary_import_error(shelf, folder: Path) -> None:
    guard(read_files(shelf.found()))
    with pytest.raises(ModuleNotFoundError, match=r"pack_one\.none"):
        importlib.import_module("pack_one.none")


def test_helper_modules_folders_and_resources_work(shelf, folder: Path) -> None:
    guard(read_files(shelf.found()))
    assert importlib.import_module("pack_helper").SAID == "helper"
    assert importlib.import_module("pack_one.sub").__path__
    from importlib.resources import files

    assert files("pack_one").joinpath("sub/note.txt").read_text() == "hello"


def test_other_modules_are_none_of_its_business(shelf, folder: Path) -> None:
    (shelf.site / "pack_other.py").write_text("SAID = 'other'")
    guard(read_files(shelf.found()))
    importlib.invalidate_caches()
    assert importlib.import_module("pack_other").SAID == "other"


def test_tracebacks_show_the_source(shelf) -> None:
    import traceback

    shelf.install(files={"pack_one/late.py": "def fail():\n    raise ValueError('x')  # here\n"})
    guard(read_files(shelf.found()))
    with pytest.raises(ValueError) as caught:
        importlib.import_module("pack_one.late").fail()
    assert "# here" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_forget_drops_only_what_is_new(shelf, folder: Path) -> None:
    guard(read_files(shelf.found()))
    importlib.import_module("pack_one")
    known = set(sys.modules)
    importlib.import_module("pack_one.late")
    forget(("pack_one",), known)
    assert "pack_one" in sys.modules
    assert "pack_one.late" not in sys.modules


def test_unguard_lets_an_editable_pack_be_edited(shelf, folder: Path) -> None:
    guard(read_files(shelf.found()))
    unguard("pack_one:plugin")
    (folder / "late.py").write_text("SAID = 'edited'")
    assert importlib.import_module("pack_one.late").SAID == "edited"
