"""The runner protocol as the host sees it. Nothing that comes out of a sandbox is believed: every count, size
and name is held to what was asked for, whatever pid 1 says.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from toolcrib.errors import InvalidArguments, SandboxLost
from toolcrib.media import media_type_of
from toolcrib.sandbox import Artifact, RunRequest
from toolcrib_sandbox._channel import Channel
from toolcrib_sandbox._names import check_inputs, is_safe
from toolcrib_sandbox._spec import Spec

__all__ = ["MAX_CODE", "Mode", "Reply", "encode", "read_frame", "read_reply"]

Mode = Literal["once", "session", "burst"]
MAX_CODE = 1 << 20
MAX_SHELL = 100_000
"""Bytes of a shell script, which travels as one argument; Linux takes 128 KiB."""
_MAX_HEAD = 1 << 20
_MAX_NOTES, _MAX_NOTE = 32, 300
_HEAD = struct.Struct(">cI")


@dataclass(frozen=True, slots=True)
class Reply:
    """What pid 1 said, checked. `refused` is why the code was not run."""

    refused: str = ""
    exit_code: int | None = None
    signal: int = 0
    timed_out: bool = False
    out_of_memory: bool = False
    written: int = 0
    truncated: bool = False
    survivors: int = 0
    seconds: float = 0.0
    stdout: bytes = b""
    stderr: bytes = b""
    artifacts: tuple[Artifact, ...] = ()
    notes: tuple[str, ...] = ()


def encode(request: RunRequest, mode: Mode, spec: Spec) -> list[bytes]:
    """The frame and its bytes; raises `InvalidArguments` for code or inputs that cannot be run."""
    code = _code(request)
    check_inputs(request.inputs, spec.box_size)
    out, err = shares(request.limits.output)
    message = {
        "mode": mode,
        "language": request.language,
        "wall": request.limits.wall,
        "stdout": out,
        "stderr": err,
        "artifacts": request.limits.artifacts,
        "artifact_bytes": spec.disk,
        "names": list(request.inputs),
        "sizes": [len(code), *(len(data) for data in request.inputs.values())],
        "relay": "/run/egress.sock" if spec.socket else "",
    }
    head = json.dumps(message).encode()
    return [_HEAD.pack(b"Q", len(head)) + head, code, *request.inputs.values()]


def shares(output: int) -> tuple[int, int]:
    """How much of stdout and of stderr comes back: a flood of one may not hide the other."""
    return output - output // 4, output // 4


def _code(request: RunRequest) -> bytes:
    rule, remedy = "code is UTF-8 text without NUL characters", "Write it as plain text"
    try:
        code = request.code.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidArguments(
            f"the code has no UTF-8 form at character {error.start}", rule=rule, remedy=remedy
        ) from None
    if b"\0" in code:
        raise InvalidArguments(f"the code has a NUL at byte {code.index(0)}", rule=rule, remedy=remedy)
    most = MAX_SHELL if request.language == "shell" else MAX_CODE
    if len(code) > most:
        raise InvalidArguments(
            f"the code has {len(code)} bytes",
            rule=f"code in {request.language} has at most {most} bytes",
            remedy="Give data as input files, not inside the code",
        )
    return code


def read_frame(channel: Channel, kind: bytes, deadline: float) -> dict[str, Any]:
    """The JSON of the next frame, which must be of this kind."""
    found, size = _HEAD.unpack(channel.read(_HEAD.size, deadline))
    if found != kind or size > _MAX_HEAD:
        raise _broken(f"a frame {found!r} of {size} bytes")
    try:
        message = json.loads(channel.read(size, deadline))
    except (ValueError, RecursionError):
        raise _broken("a frame that is no JSON") from None
    if not isinstance(message, dict):
        raise _broken("a frame that is no object")
    return message


def read_reply(channel: Channel, request: RunRequest, spec: Spec, deadline: float) -> Reply:
    """The result of a run; raises `SandboxLost` if it is none that was asked for."""
    message = read_frame(channel, b"R", deadline)
    try:
        if refused := message.get("refused"):
            return Reply(refused=_line(str(refused)))
        names, sizes = _list(message["names"], str), _list(message["sizes"], int)
        _check_sizes(names, sizes, request, spec)
        out, err, *contents = (channel.read(size, deadline) for size in sizes)
        return _reply(message, out, err, names, contents)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _broken(f"a result that is none ({type(error).__name__})") from None


def _check_sizes(names: Sequence[str], sizes: Sequence[int], request: RunRequest, spec: Spec) -> None:
    out, err = shares(request.limits.output)
    if len(sizes) != len(names) + 2 or min(sizes) < 0:
        raise _broken("sizes that fit no files")
    if (
        sizes[0] > out
        or sizes[1] > err
        or len(names) > request.limits.artifacts
        or sum(sizes[2:]) > spec.disk
    ):
        raise _broken("more than its limits")


def _reply(
    message: Mapping[str, Any], out: bytes, err: bytes, names: Sequence[str], contents: Sequence[bytes]
) -> Reply:
    notes = [_line(note) for note in _list(message["notes"], str)[:_MAX_NOTES]]
    artifacts: list[Artifact] = []
    for name, data in zip(names, contents, strict=True):
        if is_safe(name) and name not in {each.name for each in artifacts}:
            artifacts.append(Artifact(name, data, media_type_of(data)))
        else:
            notes.append(f"left out: {name!a:.200} is no safe name")
    exit_code = message["exit"]
    return Reply(
        exit_code=None if exit_code is None else int(exit_code) & 255,
        signal=min(max(int(message["signal"]), 0), 64),
        timed_out=message["timed_out"] is True,
        out_of_memory=message["oom"] is True,
        written=max(int(message["written"]), len(out) + len(err)),
        truncated=message["truncated"] is True,
        survivors=max(int(message["survivors"]), 0),
        seconds=max(float(message["seconds"]), 0.0),
        stdout=out,
        stderr=err,
        artifacts=tuple(artifacts),
        notes=tuple(notes),
    )


def _list(value: Any, kind: type) -> list[Any]:
    if not isinstance(value, list) or not all(type(item) is kind for item in value):
        raise TypeError
    return value


def _line(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode().split())[:_MAX_NOTE]


def _broken(what: str) -> SandboxLost:
    return SandboxLost(
        f"the sandbox answered with {what}",
        rule="a sandbox answers in the runner protocol, within its limits",
        remedy="The container was thrown away; look at what was run before you run it again",
    )
