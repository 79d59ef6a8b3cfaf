"""What the executor knows of one call while it is on its way."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from toolcrib.policy import OPEN

if TYPE_CHECKING:
    from toolcrib._arguments import Frozen
    from toolcrib.approvals import Approval
    from toolcrib.calls import ToolCall
    from toolcrib.decisions import Decision
    from toolcrib.policy import Candidates, Policy
    from toolcrib.secrets import Stream
    from toolcrib.state import Commitment
    from toolcrib.tools import Tool

__all__ = ["Case", "Progress", "Watch"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a running tool says of itself; `fraction` runs from 0 to 1."""

    message: str
    fraction: float | None = None


Watch: TypeAlias = "Callable[[Approval | Progress], object]"
"""Told, while a call is on its way, of approvals that it waits for and of the tool's progress."""

_prefix = os.urandom(5).hex()
_numbers = itertools.count(1)


def _fresh_prefix() -> None:
    global _prefix
    _prefix = os.urandom(5).hex()


os.register_at_fork(after_in_child=_fresh_prefix)


class Case:
    """One call on its way; each step of the executor fills in what the next one needs.

    `id` is unique over processes and joins the records of one call. `asked` are the arguments as they were
    asked for, `arguments` as they will run (different after an approver's edit). `intended` says that the
    intent record is written, `started` that the tool was started, `untouched` that no attempt so far can
    have changed the world, `signed` that its outcome is in the log's hands. `beyond` are the limits of a
    sandbox in which the call goes beyond its tool's defaults, with these.
    `secrets` are those that were handed to the tool, `refused` those that were not; `stream` cleans its
    progress.
    """

    # Defaults stand on the class: most calls never touch most of them.
    raw: bytes = b""
    tool: Tool | None = None
    asked: Frozen | None = None
    arguments: Frozen | None = None
    policy: Policy | None = None
    candidates: Candidates | None = None
    decision: Decision | None = None
    labels: frozenset[str] = frozenset()
    before: Any = OPEN
    preview_digest: str = ""
    approval: Approval | None = None
    commitment: Commitment | None = None
    intended: bool = False
    started: bool = False
    signed: bool = False
    attempts: int = 0
    untouched: bool = True
    beyond: Mapping[str, Any] = MappingProxyType({})
    stream: Stream | None = None

    def __init__(self, call: ToolCall, watch: Watch | None = None) -> None:
        self.call, self.watch = call, watch
        self.id = f"{_prefix}-{next(_numbers):x}"
        self.began = time.perf_counter()
        self.secrets: list[Mapping[str, Any]] = []
        self.notes: dict[str, Any] = {}
        self.refused: list[Mapping[str, Any]] = []

    def tell(self, news: Approval | Progress) -> None:
        """Tell whoever watches; a watcher that raises changes nothing about the call."""
        if self.watch is not None:
            with contextlib.suppress(Exception):
                self.watch(news)

    def tell_rest(self) -> None:
        """Tell what of the tool's progress was held back, as it may have become a token."""
        if self.stream is not None and (rest := self.stream.rest()):
            self.tell(Progress(rest))

    @property
    def seconds(self) -> float:
        """Time since the call came in."""
        return time.perf_counter() - self.began

    @property
    def changes_the_world(self) -> bool:
        """Whether the tool is anything but a read."""
        return self.tool is not None and self.tool.effect != "read"
