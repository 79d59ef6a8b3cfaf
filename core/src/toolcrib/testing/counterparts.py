"""What a test does whose counterpart, a real server or another's program, is not there."""

from __future__ import annotations

import os
from typing import NoReturn

__all__ = ["is_strict", "missing"]


def is_strict() -> bool:
    """Whether a missing counterpart is a failure (`TOOLCRIB_STRICT=1`, as in CI)."""
    return os.environ.get("TOOLCRIB_STRICT") == "1"


def missing(why: str) -> NoReturn:
    """Skip the test and say `why` loudly; fail it where `TOOLCRIB_STRICT=1`."""
    import pytest

    if is_strict():
        pytest.fail(why)
    pytest.skip(why)
