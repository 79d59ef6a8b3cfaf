"""The classic API's code executor on a crib, for `code_execution_config`:

UserProxyAgent("coder", code_execution_config={"executor": GovernedCodeExecutor(crib, principal)})
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from autogen.coding import CodeBlock, CodeExtractor, CodeResult, MarkdownCodeExtractor

from toolcrib.adapters._code_blocks import REFUSED, Blocks, LocalSource, Outcome, joined
from toolcrib.artifacts import StoredArtifact
from toolcrib.calls import ToolCall, ToolResult
from toolcrib.principal import Principal

__all__ = ["GovernedCodeExecutor"]


class _SyncSource(LocalSource, Protocol):
    def execute_sync(self, call: ToolCall) -> ToolResult: ...


class GovernedCodeExecutor:
    """Runs code blocks as calls of `code.*`: decided, approved, sandboxed and signed for by the crib.

    What it takes and gives is explained at `toolcrib.adapters.agentchat_code.GovernedCodeExecutor`.
    """

    def __init__(self, source: _SyncSource, principal: Principal, **options: Any) -> None:
        if options.get("folder") is not None:
            options["folder"] = Path(options["folder"])
        self._source, self._blocks = source, Blocks(source, principal, **options)
        self._last: Outcome = joined(())

    @property
    def code_extractor(self) -> CodeExtractor:
        """Finds blocks in Markdown, as autogen does."""
        return MarkdownCodeExtractor()

    @property
    def files(self) -> Sequence[StoredArtifact]:
        """The files that the blocks of the last message left."""
        return self._last.files

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CodeResult:
        """What the blocks printed, and the exit code of the last that ran."""
        outcomes: list[Outcome] = []
        for block in code_blocks:
            outcomes.append(self._one(self._blocks.call(block.code, block.language)))
            if outcomes[-1].exit_code:
                break
        self._last = joined(outcomes)
        return CodeResult(exit_code=self._last.exit_code, output=self._last.output)

    def _one(self, call: ToolCall | Outcome) -> Outcome:
        if isinstance(call, Outcome):
            return call
        try:
            return self._blocks.outcome(self._source.execute_sync(call))
        except Exception as error:
            return Outcome(REFUSED, f"UNAVAILABLE: the code's result cannot be had: {error}")

    def restart(self) -> None:
        """Begin anew, without variables and files; raises `SandboxError` where policy does not let the
        session be closed.
        """
        self._blocks.forget()
        closing = self._blocks.closing()
        self._blocks.closed(self._source.execute_sync(closing) if closing else None)
