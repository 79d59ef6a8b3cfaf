"""What a suite must have before its first check: modules of its counterpart, and what it prepares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from toolcrib.errors import PackError

if TYPE_CHECKING:
    from toolcrib.testing.conformance import PackConformance

__all__ = ["lacking", "ready"]


def lacking(suite: PackConformance) -> PackError | None:
    """What is not installed of that which the suite needs, with how to install it."""
    gone = {name: how for name, how in suite.needs.items() if find_spec(name) is None}
    if not gone:
        return None
    backend = suite.settings.get("backend")
    what = f"pack {suite.pack!r}" + (f" with the backend {backend!r}" if backend else "")
    return PackError(
        f"{what} cannot be checked: {', '.join(sorted(gone))} is not installed",
        rule="a suite is held against its counterpart, and nothing passes unseen",
        remedy=f"Install it: {'; '.join(dict.fromkeys(gone.values()))}",
    )


@contextmanager
def ready(suite: PackConformance) -> Iterator[None]:
    """The suite with all that it needs and prepares; `PackError` where something is not installed."""
    if problem := lacking(suite):
        raise problem
    with suite.prepare() as suite.prepared:
        yield
