"""AgentChat's `CodeExecutor` on a crib: for `CodeExecutorAgent`, in place of the executor that it has now.

CodeExecutorAgent("coder", code_executor=GovernedCodeExecutor(crib, principal))
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock, CodeExecutor, CodeResult

from toolcrib.adapters._code_blocks import CANCELLED, REFUSED, Blocks, LocalSource, Outcome, joined
from toolcrib.artifacts import StoredArtifact
from toolcrib.calls import ToolCall
from toolcrib.principal import Principal

__all__ = ["GovernedCodeExecutor"]


class GovernedCodeExecutor(CodeExecutor):
    """Runs code blocks as calls of `code.*`: decided, approved, sandboxed and signed for by the crib.

    Python and shell. A block that fails ends the rest. No block raises: a denial, a pending approval and a
    cancellation are results with exit code 126 or 130, time that is up is 124. `options` are `memory` (MiB),
    `seconds`, `egress` (a list of `host:port`), `remembers` (one session for all blocks) and `folder` (where
    files are copied to); without `remembers`, each block has a fresh sandbox with the files of those before.
    """

    def __init__(self, source: LocalSource, principal: Principal, **options: Any) -> None:
        if options.get("folder") is not None:
            options["folder"] = Path(options["folder"])
        self._blocks = Blocks(source, principal, **options)
        self._last: Outcome = joined(())

    @property
    def source(self) -> LocalSource:
        """The crib that its calls go to."""
        return self._blocks.source

    @property
    def principal(self) -> Principal:
        """On whose behalf."""
        return self._blocks.principal

    @property
    def files(self) -> Sequence[StoredArtifact]:
        """The files that the blocks of the last message left."""
        return self._last.files

    async def execute_code_blocks(
        self, code_blocks: list[CodeBlock], cancellation_token: CancellationToken
    ) -> CodeResult:
        """What the blocks printed, and the exit code of the last that ran."""
        outcomes: list[Outcome] = []
        for block in code_blocks:
            outcomes.append(
                await self._one(self._blocks.call(block.code, block.language), cancellation_token)
            )
            if outcomes[-1].exit_code:
                break
        self._last = joined(outcomes)
        return CodeResult(self._last.exit_code, self._last.output)

    async def _one(self, call: ToolCall | Outcome, token: CancellationToken) -> Outcome:
        if isinstance(call, Outcome):
            return call
        task = asyncio.ensure_future(self._blocks.source.execute(call))
        token.link_future(task)
        try:
            await asyncio.wait({task})  # not the task itself: its cancellation is a result here, no exception
        except asyncio.CancelledError:  # this time it is the caller's own, and code must not outlive it
            task.cancel()
            await asyncio.wait({task})
            raise
        if task.cancelled():
            return Outcome(CANCELLED, "CANCELLED: the code was ended because its caller went away.")
        try:
            return self._blocks.outcome(task.result())
        except Exception as error:
            return Outcome(REFUSED, f"UNAVAILABLE: the code's result cannot be had: {error}")

    def forget_last(self) -> None:
        """Let `files` be empty until blocks have run again."""
        self._last = joined(())

    async def start(self) -> None:
        """Nothing: a sandbox is there when code is."""

    async def stop(self) -> None:
        """End the session, if there is one; raises `SandboxError` where policy does not let it be closed."""
        closing = self._blocks.closing()
        self._blocks.closed(await self._blocks.source.execute(closing) if closing else None)

    async def restart(self) -> None:
        """Begin anew, without variables and files; raises what `stop` does."""
        self._blocks.forget()
        await self.stop()

    def _to_config(self) -> NoReturn:
        # AutoGen would write down an executor, and load it without any policy.
        raise NotImplementedError("a governed code executor is bound to its crib; build it in code")
