"""Observers are told after durability, and can neither change nor stop anything."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from toolcrib.audit import AuditLog, read
from toolcrib.audit import _sinks as sinks_module
from toolcrib.errors import ToolcribWarning

BOTH = pytest.mark.parametrize("durability", ["fsync", "written"])


@BOTH
def test_a_sink_gets_every_finished_record_in_order(folder: Path, durability: str):
    seen: list[Mapping[str, Any]] = []
    log = AuditLog(folder, durability=durability, sinks=[seen.append])
    for n in range(20):
        log.append_blocking({"kind": "intent", "call": f"{n}"})
    log.close()
    assert seen == list(read(folder))


def test_a_record_is_on_the_disk_when_a_sink_sees_it(folder: Path):
    found: list[bool] = []

    def sink(record: Mapping[str, Any]) -> None:
        found.append(record["hash"] in (folder / "000001.jsonl").read_text())

    log = AuditLog(folder, sinks=[sink])
    log.append_blocking({"kind": "intent", "call": "c"})
    log.close()
    assert found == [True, True]


@BOTH
def test_a_failing_sink_is_warned_of_once_and_stops_nothing(folder: Path, durability: str):
    seen: list[str] = []

    def broken(record: Mapping[str, Any]) -> None:
        raise OSError("collector away")

    with pytest.warns(ToolcribWarning, match="collector away") as caught:
        log = AuditLog(folder, durability=durability, sinks=[broken, lambda r: seen.append(r["kind"])])
        for n in range(5):
            log.append_blocking({"kind": "intent", "call": f"{n}"})
        log.close()
    assert len(caught) == 1
    assert seen == ["log"] + ["intent"] * 5
    assert len(list(read(folder))) == 6


def test_a_sink_cannot_change_what_others_see(folder: Path):
    seen: list[Mapping[str, Any]] = []
    log = AuditLog(folder, sinks=[lambda r: r.clear(), seen.append])  # type: ignore[attr-defined]
    given = {"kind": "intent", "arguments": {"a": 1}}
    log.append_blocking(given)
    log.close()
    assert seen[-1]["arguments"] == given["arguments"] == {"a": 1}


def test_a_hanging_sink_holds_nothing_up(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sinks_module, "BACKLOG", 10)
    go_on, seen = threading.Event(), []

    def hanging(record: Mapping[str, Any]) -> None:
        go_on.wait(20)
        seen.append(record["seq"])

    log = AuditLog(folder, sinks=[hanging])
    with pytest.warns(ToolcribWarning, match="behind") as caught:
        for n in range(50):
            log.append_blocking({"kind": "intent", "call": f"{n}"})
        go_on.set()
        log.close()
    assert len(caught) == 1
    assert len(list(read(folder))) == 51
    assert 10 <= len(seen) < 51 and seen == sorted(seen)
