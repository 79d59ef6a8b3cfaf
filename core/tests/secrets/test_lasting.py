"""What a crib handed out stays out of the process's logs and spans when the crib is closed and gone."""

from __future__ import annotations

import gc
import logging
import threading
from pathlib import Path
from typing import Any
from weakref import ref

import pytest

from toolcrib import CallContext, tool
from toolcrib.secrets import LocalProvider, Redactor, Secret, clean_logs, leave_logs, logs
from toolcrib.secrets._lasting import Lasting
from toolcrib.testing.cribs import make_crib

VALUE = "correct-horse-battery-9"
ROWS = "p, *, acme, local.*, *, True, allow\np, *, acme, secret:local.key, use, True, allow\n"
CONFIG = '[packs.local.secrets]\nkey = "plain/key"\n'


@tool(effect="read")
async def use(ctx: CallContext) -> int:
    """Use the secret."""
    return len((await ctx.secret("key")).reveal())


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Any:
    before = logging.getLogRecordFactory()
    caplog.set_level(logging.DEBUG)

    def write(text: str) -> str:
        caplog.clear()
        logging.getLogger("vendor.client").warning("%s", text)
        return caplog.messages[-1]

    yield write
    logging.setLogRecordFactory(before)


def learned(*values: str, **more: Any) -> Redactor:
    redactor = Redactor(**more)
    for number, value in enumerate(values):
        redactor.learn(Secret(value, path=f"p/{number}", version=1))
    return redactor


async def test_after_a_crib_is_closed_and_gone_its_secrets_stay_out_of_the_logs(
    tmp_path: Path, written: Any
) -> None:
    LocalProvider(tmp_path / ".toolcrib").put("plain/key", VALUE)
    crib = make_crib(tmp_path, ROWS, config=CONFIG)
    with crib:
        crib.add(use)
        assert (await crib.call("use", {}, crib.principal("writer", "alice"))).status == "done"
        gone = ref(crib.broker.redactor)
    assert written(f"late: {VALUE}") == "late: [secret:plain/key]"
    del crib
    gc.collect()
    assert gone() is None  # so that it is really the second way that is tried
    assert written(f"later: {VALUE}") == "later: [secret:plain/key]"
    assert written("nothing") == "nothing"


async def test_a_crib_that_leaves_the_logs_alone_leaves_them_alone_then_too(
    tmp_path: Path, written: Any
) -> None:
    LocalProvider(tmp_path / ".toolcrib").put("plain/key", VALUE)
    crib = make_crib(tmp_path, ROWS, config=CONFIG + "[redaction]\nlogs = false\ntraces = false\n")
    with crib:
        crib.add(use)
        assert (await crib.call("use", {}, crib.principal("writer", "alice"))).status == "done"
    del crib
    gc.collect()
    assert written(VALUE) == VALUE


def test_leaving_by_name_is_for_good(written: Any) -> None:
    clean_logs(redactor := learned(VALUE))
    leave_logs(redactor)
    del redactor
    gc.collect()
    assert written(VALUE) == VALUE


def test_what_several_knew_is_known_together_under_their_labels() -> None:
    outlet = Lasting()
    for number in range(30):
        outlet.add(redactor := Redactor(shapes=False))
        redactor.learn(Secret(f"value-{number:04d}-end", path=f"q/{number}", version=1))
        del redactor
    gc.collect()
    (left,) = outlet.active()
    text = " ".join(f"value-{number:04d}-end" for number in range(30))
    assert left.clean(text) == " ".join(f"[secret:q/{number}]" for number in range(30))


def test_of_what_is_left_the_last_values_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolcrib.secrets._known.MOST_KNOWN", 64)
    outlet = Lasting()
    for number in range(20):
        outlet.add(redactor := learned(*(f"value-{number:02d}-{each}-end" for each in range(8))))
        del redactor
    gc.collect()
    (left,) = outlet.active()
    left.known.settle()
    assert left.clean("value-19-7-end") != "value-19-7-end"
    assert left.clean("value-00-0-end") == "value-00-0-end"


def test_token_shapes_are_looked_for_while_somebody_is_there() -> None:
    outlet, token = Lasting(), "ghp_" + "a1B2" * 9
    outlet.add(redactor := learned(VALUE))
    assert token not in outlet.active()[0].clean(token)
    del redactor
    gc.collect()
    (left,) = outlet.active()
    assert left.clean(f"{token} {VALUE}") == f"{token} [secret:p/0]"


def test_one_that_learned_nothing_leaves_nothing() -> None:
    outlet = Lasting()
    outlet.add(redactor := Redactor())
    assert outlet.active() == [redactor]
    del redactor
    gc.collect()
    assert outlet.active() == []


def test_adding_twice_and_discarding_what_is_not_there_do_no_harm() -> None:
    outlet, redactor = Lasting(), learned(VALUE)
    outlet.add(redactor), outlet.add(redactor)
    assert outlet.active() == [redactor]
    outlet.discard(redactor), outlet.discard(redactor)
    assert outlet.active() == []


def test_records_are_cleaned_while_cribs_come_and_go(written: Any) -> None:
    problems: list[str] = []

    def come_and_go(number: int) -> None:
        for turn in range(20):
            value = f"value-{number}-{turn:03d}-end"
            clean_logs(redactor := learned(value))
            del redactor
            record = logging.LogRecord("a", logging.INFO, "f", 1, value, None, None)
            logs._FILTER.filter(record)
            if value in record.getMessage():
                problems.append(value)

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
