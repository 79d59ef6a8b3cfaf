"""What is checked before a policy is put in force lets go of its tables as gently as it loads."""

from __future__ import annotations

import gc
import hashlib
import threading
import weakref
from collections import defaultdict
from typing import Any

import pytest

from toolcrib.bench.lint import lint_text
from toolcrib.errors import PolicyError
from toolcrib.policy import MODEL
from toolcrib.policy import _agreement as agreement
from toolcrib.policy._agreement import PIECE, compare
from toolcrib.policy._conditions import Conditions
from toolcrib.policy._gentle import gently, retire, spare
from toolcrib.policy._model import read_model
from toolcrib.policy._policy import revision_of
from toolcrib.policy._rows import Read, lines_of, read_rows

ROWS = "".join(f"p, user:u{number}, acme, crm.t{number}, read, True, allow\n" for number in range(300))


class Table(dict[str, Any]):
    """A dict that can be watched."""


def test_what_is_spared_lives_until_the_load_ends_and_no_longer() -> None:
    with gently():
        gone = weakref.ref(spare(Table()))
        assert gone() is not None
    assert gone() is None


def test_without_a_load_nothing_is_held() -> None:
    gone = weakref.ref(spare(Table()))
    assert gone() is None


def test_what_is_spared_is_let_go_after_an_error_too() -> None:
    found: list[Any] = []

    def fail() -> None:
        with gently():
            found.append(weakref.ref(spare(Table())))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    gc.collect()
    assert found[0]() is None


def test_only_the_thread_that_loads_spares() -> None:
    gone: list[Any] = []
    with gently():
        thread = threading.Thread(target=lambda: gone.append(weakref.ref(spare(Table()))))
        thread.start()
        thread.join()
        assert gone[0]() is None


def test_what_the_caller_still_holds_is_whole() -> None:
    with gently():
        kept = spare(defaultdict(list, {"a": [("b", {"c"})]}))
    assert kept == {"a": [("b", {"c"})]}


def test_one_that_is_held_twice_is_retired_once() -> None:
    shared = ("shared", ("inner",))
    holder: list[Any] = [[shared, shared], {1: shared}, shared]
    retire(holder)
    assert holder == [] and shared == ("shared", ("inner",))


def test_findings_are_the_same_during_a_load() -> None:
    rows = ROWS + "p, user:u1, acme, crm.t1, read, True, deny\np2, *, acme, crm.nothing, read, True, nobody\n"
    with gently():
        during = lint_text(MODEL, rows, [])
    assert during == lint_text(MODEL, rows, [])
    assert {one.id for one in during} >= {"TC301", "TC306"}


# --- in pieces


@pytest.mark.parametrize("rows", ["", "x" * (1 << 16), "ab" * 100_000, "é" * 70_000, "\U0001f600" * 65_537])
def test_the_revision_is_that_of_the_whole_text(rows: str) -> None:
    data = b"%d\n" % len(MODEL.encode()) + MODEL.encode() + rows.encode()
    assert revision_of(MODEL, rows) == hashlib.sha256(data).hexdigest()[:12]


@pytest.mark.parametrize("text", ["", "\n", "a", "a\nb\n", "x" * 70_000 + "\ny", ("row\n" * 40_000) + "end"])
def test_lines_are_those_of_the_whole_text(text: str) -> None:
    assert list(lines_of(text)) == text.split("\n")


@pytest.mark.parametrize("place", [0, 3, 4, 9])
def test_a_value_that_pycasbin_reads_otherwise_is_refused_in_every_piece(
    monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr(agreement, "PIECE", 4)
    monkeypatch.setattr(agreement, "WHOLE", 5)
    model = read_model(MODEL, "model.conf")
    found = read_rows(ROWS, "policy.csv", model.columns, Conditions(model.conditions))
    assert compare(model, ROWS, found, "policy.csv") is None
    names = list(found.values["obj"])[:10]
    names[place] = "one, two"
    with pytest.raises(PolicyError, match="pycasbin reads"):
        compare(model, ROWS, Read(found.rows, {**found.values, "obj": names}, []), "policy.csv")
    assert PIECE >= 1000
