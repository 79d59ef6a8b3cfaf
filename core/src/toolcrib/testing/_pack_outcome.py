"""What came of a check, and how to mend what it found; known without the checks themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["REMEDIES", "Outcome"]

REMEDIES = {
    "schemas": "annotate every parameter with a type, and describe it under `Args:` in the docstring",
    "descriptions": "begin the docstring with a sentence that says what the caller gets, in plain letters",
    "effects": "say the worst that the tool can do (write, send, destructive), or give it a milder name",
    "labels": 'use small letters, digits and dashes: `labels={"untrusted"}` for what outsiders write',
    "targets": "mark the argument that says where something goes: `to: Annotated[str, Target]`",
    "calls": "give a good call of each tool in `Conformance.calls`, and mend the tool until it gives JSON",
    "reads": 'move what changes something out of the read, or say `effect="write"`; have a good call '
    "write what it shows",
    "idempotency": "make the second call change nothing (replace, not append), or drop `idempotent=True`",
    "preview": "name a read tool of the pack in `Preview`, map its parameters, and give a good call "
    "about a record that is there",
    "bad_arguments": "narrow the types (`Field(max_length=...)`), quote what goes to the vendor, and raise "
    "`VendorRefused` for what cannot be taken",
    "timeouts": "end by `ctx.deadline` with `Temporary` or `NotSent`, as `toolcrib.kit.Client` does",
    "cancellation": "release what a call holds in `finally` or `with`, and let CancelledError go through",
    "paging": "bound the limit, `Annotated[int, Field(ge=1, le=100)]`, and keep it; have good calls "
    "write two rows",
    "errors": "raise `NotSent`, `VendorRefused` or `Temporary`, as `toolcrib.kit.Client` does",
    "secrets": "keep secrets out of results, errors, logs and files; `reveal()` where the request is made",
    "policy": "run `toolcrib policy lint` and `toolcrib policy test` on the package's `policy` folder",
}
"""Every check by name, in the order in which they are made, with what mends a failure."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check; `problems` are sentences, `reason` says why it was skipped. `excused` are
    problems that the pack's suite declares, each with its reason.
    """

    check: str
    status: Literal["passed", "failed", "skipped"]
    problems: tuple[str, ...] = ()
    reason: str = ""
    excused: tuple[str, ...] = ()

    @property
    def remedy(self) -> str:
        """How to mend a failure; empty where there is none."""
        return REMEDIES.get(self.check, "") if self.status == "failed" else ""
