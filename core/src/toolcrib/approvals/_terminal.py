"""Asking at the terminal."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

from toolcrib.approvals._lines import Lines
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
    ) -> None:
        self.approver = approver
        self._lines = Lines(input or sys.stdin)
        self._output, self._width = output or sys.stdout, width
        self._editor = editor or _own_editor
        # One thread: a terminal holds one conversation, and the next question waits its turn.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="toolcrib-terminal")

    async def ask(self, review: Review) -> Answer | None:
        """Show the review and read the answer; None when skipped, at the end of the input or when time is
        over.

        When cancelled, the prompt is taken back before the cancellation goes on.
        """
        stopped = threading.Event()
        talk = self._thread.submit(self._hold, review, stopped)
        try:
            return await asyncio.shield(asyncio.wrap_future(talk))
        except asyncio.CancelledError:
            stopped.set()
            if not talk.cancel() and not talk.done():
                self._lines.wake()
                await asyncio.wait([asyncio.wrap_future(talk)])
            raise

    def _hold(self, review: Review, stopped: threading.Event) -> Answer | None:
        from toolcrib.approvals._dialogue import Dialogue
        from toolcrib.approvals._render import console_for

        console = console_for(self._output, self._width)
        dialogue = Dialogue(review, self.approver, console, self._lines, self._editor, stopped)
        return dialogue.hold()


def _own_editor(text: str) -> str | None:
    import click

    return click.edit(text, require_save=True)
