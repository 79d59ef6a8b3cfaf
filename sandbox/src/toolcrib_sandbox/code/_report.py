"""What a run came to, as a model reads it and as the audit log keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from toolcrib.artifacts import StoredArtifact
from toolcrib.sandbox import Limits, RunRequest, RunResult

__all__ = ["CodeReport", "FileReport", "note_of", "report_of"]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileReport:
    """A file that the run left: its name, the digest by which a later run takes it, type, size in bytes."""

    name: str
    digest: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class CodeReport:
    """What happened. `exit_code` is None if the run was ended from outside; times are in seconds.

    `output_bytes` were printed in all, of which `stdout` and `stderr` hold the beginning (`truncated`).
    `survivors` counts processes that the code left running, and that were killed. `refused` lists what it
    tried to reach and was not let.
    """

    exit_code: int | None
    stdout: str
    stderr: str
    timed_out: bool
    out_of_memory: bool
    output_bytes: int
    truncated: bool
    files: tuple[FileReport, ...]
    survivors: int
    refused: tuple[str, ...]
    notes: tuple[str, ...]
    image: str
    queue_seconds: float
    start_seconds: float
    run_seconds: float


def report_of(result: RunResult, kept: Sequence[StoredArtifact]) -> CodeReport:
    """The report of a run whose files were stored."""
    return CodeReport(
        exit_code=result.exit_code,
        stdout=result.stdout,
        stderr=result.stderr,
        timed_out=result.timed_out,
        out_of_memory=result.out_of_memory,
        output_bytes=result.output_bytes,
        truncated=result.truncated,
        files=tuple(FileReport(each.name, each.digest, each.media_type, each.size) for each in kept),
        survivors=result.survivors,
        refused=tuple(f"{each.target}: {each.reason}" for each in result.connections if not each.allowed),
        notes=result.notes,
        image=result.image,
        queue_seconds=round(result.durations.queue, 4),
        start_seconds=round(result.durations.start, 4),
        run_seconds=round(result.durations.run, 4),
    )


def note_of(request: RunRequest, result: RunResult, report: CodeReport) -> dict[str, Any]:
    """The same for the audit log: facts without what was printed, but with every connection."""
    return {
        "image": result.image,
        "limits": _limits(request.limits),
        "egress": list(request.egress),
        "exit_code": result.exit_code,
        "timed_out": result.timed_out,
        "out_of_memory": result.out_of_memory,
        "output_bytes": result.output_bytes,
        "survivors": result.survivors,
        "files": [{"digest": each.digest, "bytes": each.size} for each in report.files],
        "connections": [asdict(each) for each in result.connections],
        "seconds": asdict(result.durations),
    }


def _limits(limits: Limits) -> dict[str, Any]:
    return {
        "memory": limits.memory // MIB,
        "disk": limits.disk // MIB,
        "wall": limits.wall,
        "cpus": limits.cpus,
        "processes": limits.processes,
    }
