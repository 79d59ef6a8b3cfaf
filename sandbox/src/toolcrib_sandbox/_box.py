"""One live container, from its first word to its last."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from toolcrib.errors import SandboxError, SandboxLost
from toolcrib.sandbox import RunRequest
from toolcrib_sandbox._channel import Channel, ChannelClosed
from toolcrib_sandbox._engine import Engine
from toolcrib_sandbox._spec import Spec
from toolcrib_sandbox._wire import Reply, read_frame, read_reply

__all__ = ["Box"]

_GRACE = 10.0
"""Seconds beyond the run's own limit in which pid 1 must have told the result."""


class Box:
    """A container with its channel. Used by one thread at a time; `close` may come from any."""

    def __init__(self, container: str, spec: Spec, channel: Channel, started: float) -> None:
        self.container, self.spec, self.channel = container, spec, channel
        self.start_seconds = started
        self.facts: Mapping[str, Any] = {}
        self.runs = 0

    @classmethod
    def start(cls, engine: Engine, spec: Spec, seconds: float) -> Box:
        """A container that is ready, and holds what can be seen from inside; raises `SandboxError`."""
        began = time.monotonic()
        container, channel = engine.start(spec)
        box = cls(container, spec, channel, 0.0)
        try:
            box.facts = read_frame(channel, b"H", began + seconds)
            box.check()
        except (ChannelClosed, TimeoutError) as error:
            box.close()
            engine.remove(container)
            why = channel.complaint.decode("utf-8", "replace").strip().splitlines()
            raise SandboxError(
                f"the sandbox did not start within {seconds:g} s"
                if isinstance(error, TimeoutError)
                else f"the sandbox ended as it started: {why[-1][:200] if why else 'it said nothing'}",
                rule="a sandbox says that it is ready before it is used",
                remedy="The image must have python3 (3.10 or newer) with ctypes; see sandbox/images",
            ) from error
        except BaseException:
            box.close()
            engine.remove(container)
            raise
        box.start_seconds = time.monotonic() - began
        return box

    def check(self) -> None:
        """What every container says of itself before it is used; raises `SandboxError` if it is not as
        ordered.
        """
        facts = self.facts
        wrong = [
            name
            for name, holds in (
                ("uid", str(facts.get("Uid", "")).split() == ["10001"] * 4),
                ("capabilities", not self._has_capabilities()),
                ("no-new-privileges", facts.get("NoNewPrivs") in ("1", "")),
                ("read-only root", facts.get("readonly") is True),
                ("no network", facts.get("links") in ([], ["lo"])),
            )
            if not holds
        ]
        if missing := facts.get("missing"):
            raise SandboxError(
                f"the image has no module {str(missing[0])!r:.80}",
                rule="[sandbox] preload names modules of the image",
                remedy="Choose an image that has it, or take it out",
            )
        if wrong:
            raise SandboxError(
                f"a sandbox started without: {', '.join(wrong)}",
                rule="every flag that was ordered holds before anything runs",
                remedy="See `toolcrib sandbox check`; another runtime or engine may hold it",
            )

    def _has_capabilities(self) -> bool:
        names = ("CapEff", "CapPrm", "CapBnd", "CapAmb")
        return any(int(str(self.facts.get(name) or "0"), 16) for name in names)

    @property
    def is_alive(self) -> bool:
        """Whether it still waits for work."""
        return self.channel.is_open

    @property
    def first_start(self) -> float:
        """Seconds that it took to start, 0 once it has served: a later run did not pay for it."""
        return 0.0 if self.runs else self.start_seconds

    def run(self, request: RunRequest, frame: Sequence[bytes]) -> Reply:
        """What came of the request; `SandboxLost` if the container ended without telling."""
        self.runs += 1
        deadline = time.monotonic() + request.limits.wall + _GRACE
        try:
            self.channel.send(*frame, deadline=deadline)
            return read_reply(self.channel, request, self.spec, deadline)
        except TimeoutError:
            raise _lost(f"the sandbox gave no result within {request.limits.wall + _GRACE:g} s") from None
        except ChannelClosed:
            raise _lost(
                "the sandbox ended before its result: it was killed, or the engine was stopped"
            ) from None

    def close(self) -> None:
        """End it; the engine removes what has ended."""
        self.channel.close()


def _lost(what: str) -> SandboxLost:
    return SandboxLost(
        what,
        rule="a run ends with a result",
        remedy="Try again; if it stays so, look at the engine's log",
    )
