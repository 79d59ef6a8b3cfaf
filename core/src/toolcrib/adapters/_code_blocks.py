"""Code blocks that a model wrote, run as governed calls: what both of AutoGen's code executors need.

Their callers expect a result whatever happens, so a refusal, a call that waits for a human and a sandbox that
is not there are results too, with an exit code that no program's success has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from toolcrib.artifacts import ArtifactStore, StoredArtifact
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.config import Config
from toolcrib.crib import ToolSource
from toolcrib.errors import ConfigError, SandboxError
from toolcrib.principal import Principal

__all__ = ["CANCELLED", "REFUSED", "Blocks", "LocalSource", "Outcome", "joined", "notes"]

TIMED_OUT, REFUSED, CANCELLED, KILLED = 124, 126, 130, 137
"""As a shell and `timeout` have them; 126 is a command that may not be run."""

_LANGUAGES = {
    **dict.fromkeys(("python", "py", "python3"), "python"),
    **dict.fromkeys(("bash", "sh", "shell"), "shell"),
}
_TOOLS = {"python": "code.run_python", "shell": "code.run_shell"}


class LocalSource(ToolSource, Protocol):
    """A crib in this process, whose artifacts can be read here."""

    @property
    def config(self) -> Config:
        """Where the state folder is."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one block, or several, came to; `result` is the call's."""

    exit_code: int
    output: str
    files: tuple[StoredArtifact, ...] = ()


@dataclass(slots=True)
class Blocks:
    """Makes calls of code blocks and outcomes of their results.

    `memory` (MiB) and `seconds` are asked for each block, None is the tool's default. With `egress` blocks
    reach these `host:port` and nothing else. With `remembers` all blocks run in one session; else each has a
    fresh sandbox, to which the files that earlier blocks left are given. `folder` gets a copy of each file.
    """

    source: LocalSource
    principal: Principal
    memory: int | None = None
    seconds: float | None = None
    egress: Sequence[str] = ()
    remembers: bool = False
    folder: Path | None = None
    kept: dict[str, StoredArtifact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.egress and self.remembers:
            raise ConfigError(
                "a code executor with both egress and remembers",
                rule="a session has no network",
                remedy="Leave one of the two out; files are given from block to block in any case",
            )

    def call(self, code: str, language: str) -> ToolCall | Outcome:
        """The call that runs a block, or the outcome of a block in a language that is not run here."""
        kind = _LANGUAGES.get(language.strip().lower())
        if kind is None:
            return Outcome(1, f"unknown language {language[:40]!r}: python and shell are run here")
        asked: dict[str, Any] = {"code": code, "memory": self.memory, "seconds": self.seconds}
        arguments = {name: value for name, value in asked.items() if value is not None}
        tool = _TOOLS[kind]
        if self.egress:
            tool, arguments = "code.run_connected", {**arguments, "egress": [*self.egress], "language": kind}
        elif self.remembers:
            tool, arguments = "code.session_run", {**arguments, "language": kind}
        if self.kept and not self.remembers:
            arguments["artifacts"] = {name: each.digest for name, each in self.kept.items()}
        return ToolCall(tool, arguments, self.principal)

    def outcome(self, result: ToolResult) -> Outcome:
        """What came of a block's call, in the words that its reader needs."""
        value = result.value
        if result.status != "done":
            return Outcome(CANCELLED if result.status == "cancelled" else REFUSED, result.text)
        if not isinstance(value, Mapping):  # too large to hand over: its beginning, as text
            return Outcome(REFUSED, result.text)
        files = tuple(StoredArtifact(**each) for each in value["files"])
        self.kept.update((each.name, each) for each in files)
        self._copy(files)
        return Outcome(_exit_code(value), "".join(_output(value)), files)

    def forget(self) -> None:
        """Begin anew, without files."""
        self.kept.clear()

    def closing(self) -> ToolCall | None:
        """The call that ends the session, if there is one."""
        return ToolCall("code.session_close", {}, self.principal) if self.remembers else None

    def closed(self, result: ToolResult | None) -> None:
        """Raise `SandboxError` where `closing` did not end the session: what it remembers would be met again
        by whoever believes to begin anew.
        """
        if result is not None and result.status != "done":
            user, agent = self.principal.subjects
            raise SandboxError(
                f"the session of code was not closed: {result.text}",
                rule="a session is closed by code.session_close, which policy decides like any call",
                remedy=f"Permit code.session_close (write) to {user} and {agent}",
            )

    def _copy(self, files: Iterable[StoredArtifact]) -> None:
        if self.folder is None:
            return
        store = ArtifactStore(self.source.config.state / "artifacts").of(self.principal.tenant)
        for each in files:
            store.copy(each.digest, self.folder, each.name)


def _exit_code(value: Mapping[str, Any]) -> int:
    if value["timed_out"]:
        return TIMED_OUT
    return KILLED if value["exit_code"] is None else int(value["exit_code"])


def _output(value: Mapping[str, Any]) -> Iterable[str]:
    yield value["stdout"]
    yield value["stderr"]
    for note in notes(value):
        yield f"\n{note}"


def notes(value: Mapping[str, Any]) -> Iterable[str]:
    """What happened to a run beside what it printed, a line each."""
    if value["timed_out"]:
        yield "Timeout: the code was ended because its time was up."
    if value["out_of_memory"]:
        yield "Out of memory: the code was ended because its memory was full."
    if value["truncated"]:
        yield f"[cut: {value['output_bytes']:,} bytes were printed]"
    for refused in value["refused"]:
        yield f"[not reached: {refused}]"
    for each in value["files"]:
        yield f"[file {each['name']}: {each['media_type']}, {each['size']:,} bytes]"


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Several blocks' outcomes as one; the exit code is the last one's."""
    return Outcome(
        outcomes[-1].exit_code if outcomes else 0,
        "\n".join(each.output for each in outcomes if each.output),
        tuple(file for each in outcomes for file in each.files),
    )
