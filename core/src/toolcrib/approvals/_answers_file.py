"""Scripted answers, for demos and tests: a TOML or JSON file that answers reviews in the order in which they
come.

```toml
[[answers]]
tool = "mail.*"            # the tool this answer is for; * and ? as in file names
verdict = "edit"           # approve, edit or reject
edit = { subject = "Hello" }   # only the arguments to change
by = "alice"
note = "shorter"
```
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

from toolcrib.approvals._edits import check_edit
from toolcrib.approvals._model import Answer, AnswerVerdict, Approval, Review
from toolcrib.errors import ConfigError, InvalidArguments, ToolcribWarning

__all__ = ["AnswersChannel"]

KEYS = {"tool", "verdict", "edit", "by", "note"}


class AnswersChannel:
    """Answers from `file`; a malformed file raises `ConfigError` here.

    `approver` is who runs this process: an answer's `by` defaults to it, and any other `by` is a
    `ConfigError` unless `anybody` (a demo that plays several people). When a review is not for the tool that
    the next answer names, that is an error: it goes to `on_problem`, the review gets no answer, and the
    answer stays for the next review.
    """

    def __init__(
        self,
        file: Path,
        *,
        approver: str,
        anybody: bool = False,
        on_problem: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.file = file
        self.problems: list[str] = []
        self._clock = clock
        self._on_problem = on_problem or (lambda text: warnings.warn(text, ToolcribWarning, stacklevel=3))
        self._left = [
            _checked(file, n, entry, approver, anybody) for n, entry in enumerate(_entries(file), 1)
        ]
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """How many answers have not been given yet."""
        return len(self._left)

    async def ask(self, review: Review) -> Answer | None:
        """The next answer of the file, if it is for this tool; else None."""
        with self._lock:
            problem = self._mismatch(review.approval)
            if problem:
                self._report(problem)
                return None
            return self._answer(self._left.pop(0), review.approval)

    def _mismatch(self, approval: Approval) -> str:
        if not self._left:
            return f"{self.file}: no answer is left for {approval.tool} ({approval.id})"
        wanted = self._left[0]["tool"]
        if fnmatchcase(approval.tool, wanted):
            return ""
        return (
            f"{self.file}: the next answer is for {wanted!r}, but {approval.tool} ({approval.id}) was asked"
        )

    def _answer(self, entry: Mapping[str, Any], approval: Approval) -> Answer | None:
        edit = {**approval.shown, **entry["edit"]} if entry["verdict"] == "edit" else None
        try:
            if edit is not None:
                check_edit(approval, edit)
        except InvalidArguments as error:
            self._report(f"{self.file}: {error}")
            return None
        return Answer(entry["verdict"], entry["by"], self._clock(), entry["note"], edit)

    def _report(self, problem: str) -> None:
        self.problems.append(problem)
        self._on_problem(problem)


def _entries(file: Path) -> list[Any]:
    try:
        text = file.read_text(encoding="utf-8")
        data = _parse(file.suffix, text)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the answers file {file} cannot be read: {error}", remedy="Give a readable TOML or JSON file"
        ) from error
    entries = data.get("answers") if isinstance(data, dict) else data
    if not isinstance(entries, list):
        raise ConfigError(f"{file} has no list of answers", rule="[[answers]] tables, or a JSON list")
    return entries


def _parse(suffix: str, text: str) -> Any:
    if suffix == ".json":
        import json

        return json.loads(text)
    import tomllib

    return tomllib.loads(text)


def _checked(file: Path, number: int, entry: Any, approver: str, anybody: bool) -> dict[str, Any]:
    problem = _entry_problem(entry)
    if problem:
        raise ConfigError(f"{file}, answer {number}: {problem}", rule=f"keys: {', '.join(sorted(KEYS))}")
    full = {"edit": {}, "by": approver, "note": "", **entry}
    if full["by"] != approver and not anybody:
        raise ConfigError(
            f"{file}, answer {number} is by {full['by']!r}, but {approver!r} runs this",
            rule="an answer is given by the operating-system user mapped in [approvals.users]",
            remedy="Leave `by` out, or have that person answer with `toolcrib approvals`",
        )
    return full


def _entry_problem(entry: Any) -> str:
    if not isinstance(entry, dict):
        return "is not a table"
    if unknown := sorted(set(entry) - KEYS):
        return f"unknown key {unknown[0]!r}"
    if entry.get("verdict") not in get_args(AnswerVerdict):
        return f"verdict {entry.get('verdict')!r} is none of approve, edit, reject"
    if (entry["verdict"] == "edit") != isinstance(entry.get("edit"), dict):
        return "an edit, and nothing else, has `edit`: a table of arguments to change"
    texts = {"tool": entry.get("tool"), "by": entry.get("by", ""), "note": entry.get("note", "")}
    wrong = [name for name, value in texts.items() if not isinstance(value, str)]
    return f"{wrong[0]!r} must be a text" if wrong else ""
