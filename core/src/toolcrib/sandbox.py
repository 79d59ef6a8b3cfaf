"""What a sandbox is to core: a way to run code that a model wrote, with what happened told in full.

The implementation is a pack's (`toolcrib_sandboxes`). A sandbox that cannot hold a protection that was asked
for raises `SandboxError` and runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = ["Limits", "RunRequest", "RunResult", "Sandbox"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use; `memory` and `output` in bytes, `wall` in seconds, `cpus` in whole processors."""

    memory: int = 256 * 1024 * 1024
    output: int = 64 * 1024
    wall: float = 30.0
    cpus: float = 1.0
    processes: int = 64


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run: `code` in `language`, with `inputs` as files by relative name."""

    code: str
    language: Literal["python", "shell"] = "python"
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What happened: `exit_code` is None if the run was ended from outside; `artifacts` are files by name.

    `output_bytes` is what the code wrote in all, of which `stdout` and `stderr` hold the beginning.
    `image` is the image's digest. `seconds` is the run's own time.
    """

    stdout: str
    stderr: str
    exit_code: int | None
    timed_out: bool
    out_of_memory: bool
    output_bytes: int
    artifacts: Mapping[str, bytes]
    image: str
    seconds: float


class Sandbox(Protocol):
    """Runs code where it can do no harm."""

    async def run(self, request: RunRequest) -> RunResult:
        """One run in an environment that nobody used before; raises `SandboxError` if none can be had."""
        ...

    async def close(self) -> None:
        """End what is kept warm; leaves nothing behind."""
        ...
