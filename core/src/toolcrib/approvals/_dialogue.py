"""The conversation with one person about one approval: show, choose, edit field by field, choose again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.text import Text

from toolcrib.approvals._changes import leaves
from toolcrib.approvals._edits import check_edit, copied, put, typed_like
from toolcrib.approvals._lines import Lines, Stopped
from toolcrib.approvals._model import Answer, Review
from toolcrib.approvals._render import approval_view, edit_view, foreign_text
from toolcrib.approvals._visible import name_of, one_line
from toolcrib.errors import InvalidArguments

__all__ = ["Dialogue"]

CHOICES = {
    **dict.fromkeys(("a", "approve"), "approve"),
    **dict.fromkeys(("e", "edit"), "edit"),
    **dict.fromkeys(("r", "reject", "c", "cancel"), "reject"),
    **dict.fromkeys(("s", "skip"), "skip"),
}
OPEN_EDITOR = ":e"


class _EndOfInput(Exception):
    pass


class Dialogue:
    """One review, spoken through `console` and `lines` until it is `stopped`; `editor` changes long texts."""

    def __init__(
        self,
        review: Review,
        approver: str,
        console: Console,
        lines: Lines,
        editor: Callable[[str], str | None],
        stopped: threading.Event,
    ) -> None:
        self._approval, self._approver = review.approval, approver
        self._console, self._lines, self._editor = console, lines, editor
        end = time.time() + review.timeout if review.timeout is not None else review.approval.expires
        self._end = min(end, review.approval.expires)
        self._stopped = stopped
        self._edit: dict[str, Any] | None = None

    def hold(self) -> Answer | None:
        """The answer, or None: skipped, end of input, ended from outside, or out of time."""
        self._console.print(approval_view(self._approval))
        self._lines.forget_typed()
        try:
            while True:
                choice = self._choose()
                if choice == "edit":
                    self._edit_all()
                elif choice == "skip":
                    return None
                else:
                    return self._answer(choice)
        except _EndOfInput:
            self._say("No answer was given.")
        except Stopped:
            self._console.print()
            expired = time.time() >= self._end
            self._say("Nobody answered in time." if expired else "This was answered elsewhere.")
        return None

    def _choose(self) -> str:
        edited = " as edited" if self._edit is not None else ""
        while True:
            typed = self._prompt(f"[a]pprove{edited}  [e]dit  [r]eject  [s]kip > ").strip().lower()
            if typed in CHOICES:
                return CHOICES[typed]
            self._say("Please type a, e, r or s.")

    def _answer(self, choice: str) -> Answer:
        if choice == "reject":
            note = self._prompt("Why? The agent will be told (Enter: no reason) > ").strip()
            return Answer("reject", self._approver, time.time(), note)
        if self._edit is not None:
            return Answer("edit", self._approver, time.time(), edit=self._edit)
        return Answer("approve", self._approver, time.time())

    # --- editing -----------------------------------------------------------------------------------------

    def _edit_all(self) -> None:
        present = self._edit if self._edit is not None else dict(self._approval.shown)
        self._say("Enter keeps the value in brackets.")
        edited = copied(present)
        for path, value in leaves(present):
            put(edited, path, self._edit_one(path, value))
        try:
            check_edit(self._approval, edited)
        except InvalidArguments as error:
            self._console.print(foreign_text(str(error), "bold red"))
            return
        self._edit = None if edited == dict(self._approval.shown) else edited
        if self._edit is None:
            self._say("Nothing is changed.")
        else:
            self._console.print(edit_view(self._approval.shown, self._edit))

    def _edit_one(self, path: tuple[str, ...], value: Any) -> Any:
        name = name_of(".".join(path))
        if isinstance(value, str) and "\n" in value:
            prompt = f"{name} ({value.count(chr(10)) + 1} lines; {OPEN_EDITOR} opens the editor): "
        else:
            prompt = f"{name} [{one_line(value)}]: "
        while True:
            typed = self._prompt(prompt)
            if typed == "":
                return value
            if typed.strip() == OPEN_EDITOR and isinstance(value, str):
                return self._in_editor(value)
            try:
                return typed_like(value, typed)
            except ValueError:
                self._say('Please type JSON here, like 12, true, null or ["a", "b"].')

    def _in_editor(self, text: str) -> str:
        changed = self._editor(text)
        return text if changed is None else changed.removesuffix("\n")

    # --- lines in and out ----------------------------------------------------------------------------------

    def _prompt(self, words: str) -> str:
        self._console.print(Text(words, style="bold"), end="")
        line = self._lines.read(self._stopped, max(0.0, self._end - time.time()))
        if line is None:
            self._console.print()
            raise _EndOfInput
        return line.rstrip("\r\n")

    def _say(self, words: str) -> None:
        self._console.print(Text(words, style="dim"))
