from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from toolcrib import Crib
from toolcrib.audit import AuditLog
from toolcrib.bench.replay import Replay, replay
from toolcrib.policy._model import MODEL
from toolcrib.testing.cribs import make_crib

ALLOW = "p, *, acme, local.*, *, True, allow"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Crib]]:
    """Makes cribs in one folder, and closes them."""
    made: list[Crib] = []

    def build(rows: str, *tools: Any) -> Crib:
        crib = make_crib(tmp_path, rows, config='[approvals]\nmode = "park"\n')
        crib.add(*tools)
        made.append(crib)
        return crib

    yield build
    for crib in made:
        crib.close()


@pytest.fixture
def again(tmp_path: Path) -> Callable[..., Replay]:
    """Replays the log of the test's folder against these rows."""

    def run(rows: str, model: str = MODEL, **options: Any) -> Replay:
        folder = tmp_path / "next"
        folder.mkdir(exist_ok=True)
        (folder / "model.conf").write_text(model)
        (folder / "policy.csv").write_text(rows + "\n")
        return replay(tmp_path / ".toolcrib" / "audit", folder, **options)

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    """Writes records of calls, as the executor would, straight to the log."""

    def records(*given: dict[str, Any]) -> None:
        log = AuditLog(tmp_path / ".toolcrib" / "audit", durability="written", key=None)
        for number, one in enumerate(given):
            log.append_blocking(record(number, **one))
        log.close()

    return records


def record(number: int = 0, **more: Any) -> dict[str, Any]:
    """One intent: alice's writer asks for local.act, which was allowed."""
    base = {
        "kind": "intent",
        "id": f"x-{number}",
        "call": f"c{number}",
        "tool": "local.act",
        "pack": "local",
        "effect": "write",
        "user": "alice",
        "agent": "writer",
        "tenant": "acme",
        "session": "s1",
        "run": "r1",
        "arguments": {},
        "decision": "allow",
        "revision": "0" * 12,
        "rows": ["policy.csv:1 (p, *, acme, local.*, *, True, allow)"],
    }
    return {name: value for name, value in (base | more).items() if value is not None}
