"""What a sandbox is to core: a way to run code that a model wrote, with what happened told in full.

The implementation is a pack's (`toolcrib_sandboxes`). A sandbox that cannot hold a protection that was asked
for raises `SandboxError` and runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, TypeVar

from toolcrib.packs._settings import TableConfig

__all__ = [
    "Artifact",
    "Connection",
    "Durations",
    "Limits",
    "OpenSandbox",
    "Protection",
    "RunRequest",
    "RunResult",
    "Sandbox",
    "SandboxConfig",
    "SandboxSession",
]

T = TypeVar("T")

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use; `memory`, `disk` (all that it writes) and `output` in bytes, `wall` in seconds,
    `cpus` in whole processors. `artifacts` is how many files may come back.
    """

    memory: int = 256 * MIB
    disk: int = 64 * MIB
    output: int = 64 * 1024
    wall: float = 30.0
    cpus: float = 1.0
    processes: int = 64
    artifacts: int = 32


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run: `code` in `language`, with `inputs` as files by relative name.

    `tenant` keeps apart what may never share a container. `egress` lists what the run may reach, as
    `host:port`; empty is no network at all.
    """

    code: str
    language: Literal["python", "shell"] = "python"
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    tenant: str = "default"
    egress: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a run left: its relative name, bytes, and media type as the bytes say it."""

    name: str
    data: bytes
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Connection:
    """What a run reached, or tried to: `allowed` says which, `reason` why not; bytes by direction."""

    target: str
    allowed: bool
    reason: str = ""
    sent: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True)
class Durations:
    """Where the time went, in seconds: waiting for a container, starting it (also if that was done before
    the run came; 0 if it had served before), running.
    """

    queue: float = 0.0
    start: float = 0.0
    run: float = 0.0


@dataclass(frozen=True, slots=True)
class RunResult:
    """What happened: `exit_code` is None if the run was ended from outside.

    `output_bytes` is what the code wrote in all, of which `stdout` and `stderr` hold the beginning.
    `survivors` counts processes that were still there when the code had ended, and were killed. `image` is
    the image's digest, `notes` what else the reader should know (an artifact that was left out, and why).
    """

    stdout: str
    stderr: str
    exit_code: int | None
    timed_out: bool = False
    out_of_memory: bool = False
    output_bytes: int = 0
    truncated: bool = False
    artifacts: tuple[Artifact, ...] = ()
    survivors: int = 0
    image: str = ""
    durations: Durations = field(default_factory=Durations)
    connections: tuple[Connection, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Protection:
    """One protection, as it was tried on this engine: whether it holds, and whether runs need it."""

    name: str
    holds: bool
    required: bool
    detail: str = ""


class SandboxSession(Protocol):
    """A sandbox that remembers: variables and files stay from run to run, for one tenant."""

    async def run(self, request: RunRequest) -> RunResult:
        """The next run; `request.tenant` and `request.limits` are those the session was opened with."""
        ...

    async def close(self) -> None:
        """Forget everything."""
        ...


class Sandbox(Protocol):
    """Runs code where it can do no harm."""

    async def run(self, request: RunRequest) -> RunResult:
        """One run in an environment that nobody used before; raises `SandboxError` if none can be had."""
        ...

    async def session(self, tenant: str, limits: Limits, egress: tuple[str, ...] = ()) -> SandboxSession:
        """A sandbox that remembers, until it is closed; raises `SandboxError` if none can be had."""
        ...

    async def check(self) -> Sequence[Protection]:
        """Try every protection on this engine, and say which hold."""
        ...

    async def close(self) -> None:
        """End what is kept warm; leaves nothing behind."""
        ...


class SandboxConfig(TableConfig):
    """What a sandbox may know of the config: `[sandbox]` without `provider`, and the tenant."""

    __slots__ = ()
    table = "[sandbox]"


OpenSandbox: TypeAlias = Callable[[SandboxConfig], Sandbox]
"""What `toolcrib_sandboxes` gives for each name; nothing may be connected yet."""
