"""Opening and closing: what is made, with which rights, and what is refused."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from toolcrib.errors import StateError
from toolcrib.state import State


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_opening_makes_a_private_folder_and_database(folder):
    with State.open(folder) as state:
        assert mode_of(folder / "state.db") == 0o600
        assert mode_of(folder / "owners") == 0o700
        assert (folder / "owners" / f"{state.owner}.lock").exists()
        state.add_labels("acme", "s1", {"untrusted"})
        assert mode_of(folder / "state.db-wal") == 0o600


def test_a_database_survives_being_closed_and_opened(folder):
    with State.open(folder) as state:
        state.add_labels("acme", "s1", {"untrusted"})
    with State.open(folder) as again:
        assert again.labels("acme", "s1") == {"untrusted"}


def test_every_opening_is_an_owner_of_its_own_and_leaves_no_lock_behind(folder):
    with State.open(folder) as one, State.open(folder) as two:
        assert one.owner != two.owner
        assert len(list((folder / "owners").glob("*.lock"))) == 2
    assert list((folder / "owners").glob("*.lock")) == []


def test_the_disk_is_asked_to_keep_every_commit(folder):
    with State.open(folder) as state, state._db.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_a_path_with_odd_characters_is_just_a_path(tmp_path):
    folder = tmp_path / "a?b=c#d %20 é"
    with State.open(folder) as state:
        state.add_labels("acme", "s1", {"x"})
    assert (folder / "state.db").stat().st_size > 0


def test_closing_twice_is_harmless_and_using_a_closed_state_is_an_error(folder):
    state = State.open(folder)
    state.close()
    state.close()
    with pytest.raises(StateError, match="closed"):
        state.labels("acme", "s1")
    with pytest.raises(StateError, match="closed"):
        state.add_labels("acme", "s1", {"x"})


def test_a_database_of_a_newer_toolcrib_is_left_alone(folder):
    State.open(folder).close()
    with sqlite3.connect(folder / "state.db") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.close()
    with pytest.raises(StateError) as caught:
        State.open(folder)
    assert "schema 99" in caught.value.what
    assert "newer" in caught.value.remedy
    assert list((folder / "owners").glob("*.lock")) == [], "a failed opening is no owner"


@pytest.mark.parametrize(
    "content", [b"this is not a database, whatever its name says" * 40, b"SQLite format 3\0" + b"\xff" * 4080]
)
def test_a_file_that_is_no_database_is_refused_and_not_touched(folder, content):
    folder.mkdir()
    (folder / "state.db").write_bytes(content)
    with pytest.raises(StateError) as caught:
        State.open(folder)
    assert "state.db" in caught.value.what
    assert "backup" in caught.value.remedy
    assert (folder / "state.db").read_bytes() == content


def test_a_damaged_database_is_named_with_a_remedy(folder):
    with State.open(folder) as state:
        for n in range(300):
            state.add_labels("acme", f"s{n}", {"label-" + "x" * 200})
    file = folder / "state.db"
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    with pytest.raises(StateError) as caught, State.open(folder) as state:
        for n in range(300):
            state.labels("acme", f"s{n}")
    assert "damaged" in caught.value.what
    assert caught.value.remedy


def test_a_folder_that_cannot_be_made_is_a_state_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateError, match="cannot be used"):
        State.open(tmp_path / "file" / ".toolcrib")


def test_a_database_that_is_a_folder_is_a_state_error(folder):
    (folder / "state.db").mkdir(parents=True)
    with pytest.raises(StateError):
        State.open(folder)


def test_a_state_is_not_for_a_forked_child(state):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the child reports through the pipe
        try:
            state.labels("acme", "s1")
            os.write(writer, b"no error")
        except StateError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        assert b"fork" in pipe.read()
    assert state.labels("acme", "s1") == frozenset(), "the parent goes on"


def test_many_processes_may_make_the_same_database_at_once(other):
    program = """
        say("ready"); sys.stdin.readline()
        with State.open(folder) as state:
            state.add_labels("acme", "s1", {sys.argv[2]})
        say("made")
    """
    others = [other(program, str(n)) for n in range(4)]
    for each in others:
        assert each.hear() == "ready"
    for each in others:
        each.tell()
    assert [each.hear() for each in others] == ["made"] * 4


def test_importing_the_vocabulary_does_not_load_the_database_library():
    heavy = "{'sqlalchemy', 'rich', 'jsonschema_rs', 'click'}"
    program = f"import sys, toolcrib.state, toolcrib.approvals; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
