"""What knows values for the whole process is fresh for each test."""

from __future__ import annotations

import pytest

from toolcrib.secrets import logs, traces
from toolcrib.secrets._lasting import Lasting


@pytest.fixture(autouse=True)
def fresh_outlets(monkeypatch: pytest.MonkeyPatch) -> None:
    for outlet in (logs, traces):
        monkeypatch.setattr(outlet, "_REDACTORS", Lasting())
