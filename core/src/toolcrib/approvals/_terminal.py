"""Asking at the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from toolcrib.approvals._model import Answer, Review

__all__ = ["TerminalChannel"]


class TerminalChannel:
    """Asks the person at the terminal, who is `approver`.

    Reads lines from `input` and writes to `output` (default: standard input and output). `editor(text)` edits
    a text of several lines and returns None when it was left unchanged (default: $VISUAL or $EDITOR). Reviews
    are asked one at a time, also when several come at once. `width` in columns is for tests; default: the
    terminal's.
    """

    def __init__(
        self,
        approver: str,
        *,
        input: TextIO | None = None,
        output: TextIO | None = None,
        editor: Callable[[str], str | None] | None = None,
        width: int | None = None,
    ) -> None: ...

    async def ask(self, review: Review) -> Answer | None:
        """Show the review and read the answer; None when skipped or at the end of the input."""
        raise NotImplementedError
