"""The tools. One for each kind of sandbox, because what code can do to the world is the sandbox's matter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from toolcrib import CallContext, Target, Toolkit, tool
from toolcrib.artifacts import StoredArtifact, TenantArtifacts
from toolcrib.errors import (
    InvalidArguments,
    SandboxError,
    SandboxLost,
    ToolcribError,
    ToolError,
    VendorRefused,
)
from toolcrib.sandbox import MIB, Limits, RunRequest, RunResult, Sandbox
from toolcrib.sandboxed import Sandboxed
from toolcrib_sandbox.code._report import CodeReport, note_of, report_of
from toolcrib_sandbox.code._sessions import Sessions
from toolcrib_sandbox.code._settings import CodeSettings

__all__ = ["CodeTools"]

T = TypeVar("T")
Code = Annotated[str, Field(min_length=1, max_length=200_000)]
Files = dict[str, str]
Memory = Annotated[int, Field(ge=16, le=16_384)]
Seconds = Annotated[float, Field(gt=0, le=600)]
Language = Literal["python", "shell"]

LONGEST = 900.0
"""Seconds that a call may take: the longest run, and the wait for a container before it."""

_LABELS = frozenset({"untrusted"})
_LIMITS = Sandboxed(memory="memory", wall="seconds")


class CodeTools(Toolkit):
    """Code, run in the crib's sandbox; nothing is opened before the first call."""

    def __init__(self, settings: CodeSettings | None = None) -> None:
        self._settings = settings or CodeSettings()
        self._sessions = Sessions(self._settings.sessions, self._settings.idle_seconds)

    @tool(effect="read", labels=_LABELS, timeout=LONGEST, sandbox=_LIMITS)
    async def run_python(
        self,
        code: Code,
        ctx: CallContext,
        files: Files | None = None,
        artifacts: Files | None = None,
        memory: Memory = 256,
        seconds: Seconds = 30,
    ) -> CodeReport:
        """Run Python code in a fresh, empty sandbox without a network, and tell what it printed and left.

        Print what you want to know. Files written to the working directory come back with a digest each;
        nothing else is remembered.

        Args:
            code: The program.
            files: Text files for the working directory, by name.
            artifacts: Files that earlier runs left, for the working directory: digest by name.
            memory: At most so many MiB.
            seconds: At most so long.
        """
        return await self._once("python", code, ctx, files, artifacts, memory, seconds)

    @tool(effect="read", labels=_LABELS, timeout=LONGEST, sandbox=_LIMITS)
    async def run_shell(
        self,
        code: Code,
        ctx: CallContext,
        files: Files | None = None,
        artifacts: Files | None = None,
        memory: Memory = 256,
        seconds: Seconds = 30,
    ) -> CodeReport:
        """Run a shell script in a fresh, empty sandbox without a network, and tell what it printed and left.

        Files written to the working directory come back with a digest each; nothing else is remembered.

        Args:
            code: The script.
            files: Text files for the working directory, by name.
            artifacts: Files that earlier runs left, for the working directory: digest by name.
            memory: At most so many MiB.
            seconds: At most so long.
        """
        return await self._once("shell", code, ctx, files, artifacts, memory, seconds)

    @tool(
        effect="send",
        labels=_LABELS,
        timeout=LONGEST,
        sandbox=Sandboxed(memory="memory", wall="seconds", egress="egress"),
    )
    async def run_connected(
        self,
        code: Code,
        egress: Annotated[list[str], Field(min_length=1, max_length=20), Target],
        ctx: CallContext,
        language: Language = "python",
        files: Files | None = None,
        artifacts: Files | None = None,
        memory: Memory = 256,
        seconds: Seconds = 30,
    ) -> CodeReport:
        """Run code in a fresh sandbox that may reach the named hosts, by HTTP and HTTPS, and nothing else.

        Args:
            code: The program or script. Its proxy settings are in the usual environment variables.
            egress: What it may reach, each as HOST:PORT.
            language: python or shell.
            files: Text files for the working directory, by name.
            artifacts: Files that earlier runs left, for the working directory: digest by name.
            memory: At most so many MiB.
            seconds: At most so long.
        """
        request = await self._request(language, code, ctx, files, artifacts, memory, seconds, tuple(egress))
        return await self._report(request, _told(_sandbox(ctx).run(request), may_have_sent=True), ctx)

    @tool(effect="write", labels=_LABELS, timeout=LONGEST, sandbox=_LIMITS)
    async def session_run(
        self,
        code: Code,
        ctx: CallContext,
        language: Language = "python",
        files: Files | None = None,
        artifacts: Files | None = None,
        memory: Memory = 256,
        seconds: Seconds = 30,
    ) -> CodeReport:
        """Run code in this conversation's own sandbox, which remembers variables and files from run to run.

        Args:
            code: The next piece of the program, or a shell script.
            language: python or shell.
            files: Text files for the working directory, by name.
            artifacts: Files that earlier runs left, for the working directory: digest by name.
            memory: At most so many MiB; the same for all runs of a session.
            seconds: At most so long.
        """
        request = await self._request(language, code, ctx, files, artifacts, memory, seconds)
        session = await _told(self._sessions.take(ctx.principal, _sandbox(ctx), request.limits))
        try:
            return await self._report(request, _told(session.run(request)), ctx)
        except BaseException as error:
            if not isinstance(error.__cause__, InvalidArguments):  # that was refused before it began
                await self._sessions.close(ctx.principal)  # nobody knows what it remembers now
            raise
        finally:
            await self._sessions.done(ctx.principal)

    @tool(effect="write", idempotent=True)
    async def session_close(self, ctx: CallContext) -> str:
        """Close this conversation's sandbox; its variables and files are gone, files that came back stay."""
        return "closed" if await self._sessions.close(ctx.principal) else "there was no session"

    async def close(self) -> None:
        """Close every session."""
        await self._sessions.close_all()

    # --- what all of them do

    async def _once(
        self,
        language: Language,
        code: str,
        ctx: CallContext,
        files: Files | None,
        artifacts: Files | None,
        memory: int,
        seconds: float,
    ) -> CodeReport:
        request = await self._request(language, code, ctx, files, artifacts, memory, seconds)
        return await self._report(request, _told(_sandbox(ctx).run(request)), ctx)

    async def _request(
        self,
        language: Language,
        code: str,
        ctx: CallContext,
        files: Files | None,
        artifacts: Files | None,
        memory: int,
        seconds: float,
        egress: tuple[str, ...] = (),
    ) -> RunRequest:
        inputs = await asyncio.to_thread(_inputs, ctx, files or {}, artifacts or {})
        limits = Limits(memory=memory * MIB, wall=seconds, output=self._settings.output_bytes)
        return RunRequest(code, language, inputs, limits, ctx.principal.tenant, egress)

    async def _report(self, request: RunRequest, run: Awaitable[RunResult], ctx: CallContext) -> CodeReport:
        result = await run
        kept, left_out = await asyncio.to_thread(_kept, ctx.artifacts, result)
        report = report_of(replace(result, notes=(*result.notes, *left_out)), kept)
        ctx.note("sandbox", note_of(request, result, report))
        return report


def _kept(store: TenantArtifacts, result: RunResult) -> tuple[list[StoredArtifact], list[str]]:
    """The files of a run, stored, and what is to be said of those for which there was no room: the code ran,
    so its result must not get lost.
    """
    kept, left_out = [], []
    for each in result.artifacts:
        try:
            kept.append(store.keep(each.name, each.data))
        except (VendorRefused, OSError) as error:
            left_out.append(f"{each.name} was not kept: {error}")
    return kept, left_out


def _inputs(ctx: CallContext, files: Mapping[str, str], artifacts: Mapping[str, str]) -> dict[str, bytes]:
    twice = sorted(files.keys() & artifacts.keys())
    if twice:
        raise VendorRefused(
            f"{twice[0]!r} is given twice",
            rule="files and artifacts have names of their own",
            remedy="Rename one",
        )
    inputs = {name: text.encode() for name, text in files.items()}
    return {**inputs, **{name: ctx.artifacts.read(digest) for name, digest in artifacts.items()}}


async def _told(work: Awaitable[T], *, may_have_sent: bool = False) -> T:
    """The outcome of sandbox work; its refusals as a tool tells them: nothing happened, unless code that
    could send had begun to run when its sandbox was lost.
    """
    try:
        return await work
    except (SandboxError, InvalidArguments) as error:
        if may_have_sent and isinstance(error, SandboxLost):
            raise ToolError(error.what, rule=error.rule, remedy=error.remedy) from error
        raise _nothing_happened(error) from error


def _sandbox(ctx: CallContext) -> Sandbox:
    try:
        return ctx.sandbox
    except ToolcribError as error:
        raise _nothing_happened(error) from error


def _nothing_happened(error: ToolcribError) -> VendorRefused:
    return VendorRefused(
        error.what, rule=error.rule, remedy=error.remedy, retry_after=getattr(error, "retry_after", None)
    )
