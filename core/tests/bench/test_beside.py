"""A large policy is judged by another process, as it would be here, and an answer that does not come lets
nothing through.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from toolcrib import tool
from toolcrib.bench import beside
from toolcrib.bench.gate import objections
from toolcrib.errors import PolicyError
from toolcrib.policy import MODEL, PolicySource, Texts
from toolcrib.policy._source import _judge
from toolcrib.tools import tools_of

GOOD = "p, *, acme, local.order, write, r.ctx.args.count < 5, allow\n"
TABLE = """
tenant: acme
tools:
  local.order: write
cases:
  - name: anybody orders
    user: bob
    agent: buyer
    tool: local.order
    effect: write
    arguments: {count: 9}
    expect: allow
"""
PROPERTY = '[[property]]\nname = "nobody orders"\nnever_allowed = { tools = ["local.order"] }\n'


@tool(effect="write")
def order(count: int) -> str:
    """Order something."""
    return str(count)


TOOLS = tools_of(order)


@pytest.fixture(autouse=True)
def every_policy_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "LARGE", 0)


def texts(rows: str = GOOD, folder: Path | None = None) -> Texts:
    return Texts(MODEL, rows, folder=folder)


def in_folder(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


def both(given: Texts) -> tuple[list[str], list[str]]:
    policy = given.policy()
    return (
        beside.objections_beside(given, policy, TOOLS, "acme"),
        objections(given, policy, TOOLS, "acme"),
    )


def test_nothing_speaks_against_a_good_policy() -> None:
    assert both(texts()) == ([], [])


def test_it_lints_the_rows_by_the_tools() -> None:
    """Tools cross over as what policy sees of them, their arguments included."""
    theirs, ours = both(texts(GOOD.replace("count", "cuont")))
    assert theirs == ours
    assert "cuont" in theirs[0]


def test_it_runs_the_policys_own_tests(tmp_path: Path) -> None:
    theirs, ours = both(texts(folder=in_folder(tmp_path, "tests/orders.yaml", TABLE)))
    assert theirs == ours
    assert "anybody orders" in theirs[0]


def test_it_checks_the_properties(tmp_path: Path) -> None:
    theirs, ours = both(texts(folder=in_folder(tmp_path, "properties.toml", PROPERTY)))
    assert theirs == ours
    assert "nobody orders" in theirs[0]


def test_its_places_are_those_of_a_table() -> None:
    given = Texts(MODEL, GOOD.replace("count", "cuont"), file="policy", numbers=[4711])
    assert "policy:4711" in both(given)[0][0]


def test_a_small_policy_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "LARGE", len(GOOD) + 1)
    monkeypatch.setattr(beside, "_judged", None)
    assert both(texts()) == ([], [])


def test_a_process_that_is_killed_lets_nothing_through(monkeypatch: pytest.MonkeyPatch) -> None:
    boot = f"import os, signal; os.kill(os.getpid(), {signal.SIGKILL:d})"
    monkeypatch.setattr(beside, "_BOOT", boot)
    with pytest.raises(PolicyError, match=r"came to no answer: it ended with -9"):
        both(texts())


def test_a_process_that_breaks_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "_BOOT", "raise LookupError('no such thing')")
    with pytest.raises(PolicyError, match="no such thing"):
        both(texts())


def test_a_process_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "_BOOT", "import time; time.sleep(3600)")
    monkeypatch.setattr(beside, "PATIENCE", 0.2)
    with pytest.raises(PolicyError, match="timed out"):
        both(texts())


def test_an_interpreter_that_is_gone_lets_nothing_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(PolicyError, match="came to no answer"):
        both(texts())


@pytest.mark.parametrize("answer", ["", "[", "42", "null", '"fine"', '{"a": 1}', "[1]", "[null]"])
def test_half_an_answer_lets_nothing_through(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(beside, "_BOOT", f"print({answer!r}, end='')")
    with pytest.raises(PolicyError, match="came to no answer: it answered"):
        _judge(lambda *given: beside.objections_beside(*given, TOOLS), texts(), texts().policy())


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A module of ours in the current folder, or on PYTHONPATH, would otherwise judge in our name."""
    in_folder(tmp_path, "toolcrib/__init__.py", "raise SystemExit('not ours')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert both(texts()) == ([], [])


def test_decisions_go_on_while_it_judges(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The old policy decides until the answer is there, and the new one from then on."""
    folder, answered, began = in_folder(tmp_path, "policy.csv", GOOD), threading.Event(), threading.Event()
    in_folder(folder, "model.conf", MODEL)
    for name in ("policy.csv", "model.conf"):
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))
    judged = beside._judged

    def slowly(given: bytes) -> bytes:
        began.set()
        assert answered.wait(20)
        return judged(given)

    monkeypatch.setattr(beside, "_judged", slowly)
    source = PolicySource(folder, gate=lambda *given: beside.objections_beside(*given, TOOLS))
    before = source.current().revision
    in_folder(folder, "policy.csv", GOOD + "p, *, acme, local.other, write, True, deny\n")
    os.utime(folder / "policy.csv", (1_700_000_100, 1_700_000_100))
    source._next = time.monotonic()
    source.current()
    assert began.wait(20)
    assert source.current().revision == before
    answered.set()
    source.join()
    assert source.current().revision != before
