"""Every policy that was in force is kept, and can be had back as it was."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from toolcrib.errors import PolicyError, StateError
from toolcrib.policy import MODEL, History, Texts

ONE, TWO = "# why\np, *, acme, *, *, True, allow\n", "p, *, acme, *, *, True, deny\n"


def texts(rows: str, folder: Path | None = None) -> Texts:
    return Texts(MODEL, rows, folder=folder)


def keep(history: History, rows: str, folder: Path | None = None, **said: str) -> str:
    found = texts(rows, folder)
    policy = found.policy()
    history.keep(found, policy, **said)
    return policy.revision


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history")


def test_a_new_history_is_empty_and_makes_no_folder(history: History) -> None:
    assert history.entries() == []
    assert history.last() is None
    assert not history.folder.exists()


def test_an_entry_says_when_by_whom_why_and_how_much(history: History) -> None:
    keep(history, ONE)
    revision = keep(history, ONE + TWO, by="dana", why="freeze all")
    first, second = history.entries()
    assert (first.why, first.rows, first.added, first.removed) == ("the first", 1, 1, 0)
    assert (second.revision, second.by, second.why) == (revision, "dana", "freeze all")
    assert (second.rows, second.added, second.removed) == (2, 1, 0)
    assert second.when.endswith("Z")


def test_remarks_and_spaces_are_no_changed_rows(history: History) -> None:
    keep(history, ONE)
    keep(history, "# other\np,*,acme,*,*,True,allow\n")
    assert [(one.added, one.removed) for one in history.entries()] == [(1, 0), (0, 0)]


def test_the_same_revision_again_is_no_entry_but_a_return_is(history: History) -> None:
    for rows in (ONE, ONE, TWO, TWO, ONE):
        keep(history, rows)
    assert len(history.entries()) == 3
    assert history.entries()[0].revision == history.entries()[2].revision


def test_a_policy_comes_back_byte_for_byte(history: History) -> None:
    rows = "# ünïcode\r\np, *, acme, *, *, True, allow\r\n\r\n"
    revision = keep(history, rows)
    found = history.texts(revision[:5])
    assert (found.model, found.rows) == (MODEL, rows)
    assert history.last() == found


def test_the_tests_as_they_stood_are_kept_with_it(history: History, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.yaml").write_text("cases: []\n")
    (tmp_path / "tests" / "notes.txt").write_text("not a table")
    revision = keep(history, ONE, tmp_path)
    assert [path.name for path in (history.folder / revision / "tests").iterdir()] == ["a.yaml"]


@pytest.mark.parametrize("name", ["", "ffff", "../..", "x/y"])
def test_an_unknown_revision_is_an_error(history: History, name: str) -> None:
    keep(history, ONE)
    with pytest.raises(PolicyError, match=r"not in the history|not unique"):
        history.texts(name)


def test_a_kept_policy_that_somebody_changed_is_refused(history: History) -> None:
    revision = keep(history, ONE)
    (history.folder / revision / "policy.csv").write_text(TWO)
    with pytest.raises(PolicyError, match="is not what was in force"):
        history.texts(revision)


def test_a_torn_line_is_written_over(history: History) -> None:
    keep(history, ONE)
    log = history.folder / "log.jsonl"
    log.write_text(log.read_text() + '{"revision": "abc')
    assert len(history.entries()) == 1
    keep(history, TWO)
    assert len(history.entries()) == 2
    assert all(json.loads(line) for line in log.read_text().splitlines())


def test_a_line_that_is_none_is_an_error_not_an_empty_history(history: History) -> None:
    keep(history, ONE)
    (history.folder / "log.jsonl").write_text("nonsense\n")
    with pytest.raises(StateError, match="damaged"):
        history.last()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be used"):
        keep(History(tmp_path / "file" / "history"), ONE)


def test_a_crash_while_a_policy_was_stored_leaves_no_half_of_it(history: History) -> None:
    revision = texts(ONE).policy().revision
    half = history.folder / f".{revision}"
    half.mkdir(parents=True)
    (half / "model.conf").write_text("half")
    keep(history, ONE)
    assert history.texts(revision).model == MODEL


def test_many_writers_make_one_entry(history: History) -> None:
    started = threading.Barrier(8)

    def write() -> None:
        started.wait()
        keep(History(history.folder), ONE)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(history.entries()) == 1
