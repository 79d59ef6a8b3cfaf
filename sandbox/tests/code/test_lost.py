"""What a tool says when its sandbox is lost: whether the code may have sent something by then."""

from __future__ import annotations

from typing import Any

import pytest

from toolcrib.errors import InvalidArguments, SandboxError, SandboxLost, ToolError, VendorRefused
from toolcrib_sandbox._box import Box
from toolcrib_sandbox._channel import ChannelClosed
from toolcrib_sandbox._spec import spec_for
from toolcrib_sandbox._wire import encode
from toolcrib_sandbox.code._toolkit import _told


async def fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("may_have_sent", [True, False])
@pytest.mark.parametrize(
    "error", [SandboxError("none is free", retry_after=1.0), InvalidArguments("a NUL"), SandboxLost("killed")]
)
async def test_only_a_lost_run_that_could_send_is_not_known_to_have_done_nothing(
    error: Exception, may_have_sent: bool
) -> None:
    with pytest.raises(ToolError) as caught:
        await _told(fail(error), may_have_sent=may_have_sent)
    unknown = may_have_sent and isinstance(error, SandboxLost)
    assert isinstance(caught.value, VendorRefused) is not unknown
    assert caught.value.__cause__ is error


class Channel:
    """Ends, or says nothing, or nonsense, when a result is read."""

    complaint = b""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer

    def send(self, *parts: bytes, deadline: float) -> None:
        """Take it."""

    def read(self, size: int, deadline: float) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer[:size].ljust(size, b"?")

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(
    "answer", [ChannelClosed(), TimeoutError(), b"R", b"nonsense", b"R\x00\x00\x00\x01{"]
)
def test_a_run_without_a_result_is_lost(small: Any, answer: Any) -> None:
    from toolcrib.sandbox import RunRequest

    spec, request = spec_for(small, image="sha256:0"), RunRequest("1", limits=small)
    box = Box("none", spec, Channel(answer), 0.0)  # type: ignore[arg-type]
    with pytest.raises(SandboxLost):
        box.run(request, encode(request, "once", spec))


@pytest.mark.parametrize("answer", [ChannelClosed(), TimeoutError()])
def test_one_that_does_not_start_is_not(small: Any, answer: Any) -> None:
    class Engine:
        def __init__(self) -> None:
            self.removed: list[str] = []

        def start(self, spec: Any) -> Any:
            return "none", Channel(answer)

        def remove(self, container: str) -> None:
            self.removed.append(container)

    engine = Engine()
    with pytest.raises(SandboxError) as caught:
        Box.start(engine, spec_for(small, image="sha256:0"), 0.1)  # type: ignore[arg-type]
    assert not isinstance(caught.value, SandboxLost) and engine.removed == ["none"]
