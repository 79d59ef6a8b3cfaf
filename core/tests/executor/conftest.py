from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from toolcrib import Crib
from toolcrib.audit import read, verify
from toolcrib.errors import ToolcribWarning
from toolcrib.testing.cribs import make_crib

ALLOW_ALL = "p, *, acme, local.*, *, True, allow"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Crib]]:
    """Makes cribs in one folder, and closes them."""
    made: list[Crib] = []

    def build(rows: str = ALLOW_ALL, *tools: Any, config: str = "", channels: Any = ()) -> Crib:
        crib = make_crib(tmp_path, rows, config=config, channels=channels)
        crib.add(*tools)
        made.append(crib)
        return crib

    yield build
    with warnings.catch_warnings():  # a log that a test took away has no closing checkpoint, and warns of it
        warnings.simplefilter("ignore", ToolcribWarning)
        for crib in made:
            crib.close()


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """The call records so far, oldest first; the log must verify."""

    def records(*kinds: str) -> list[dict[str, Any]]:
        folder = tmp_path / ".toolcrib" / "audit"
        assert verify(folder).problem is None
        wanted = kinds or ("refusal", "intent", "outcome", "recall", "approval")
        return [record for record in read(folder) if record["kind"] in wanted]

    return records
