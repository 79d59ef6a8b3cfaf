"""Whose modules are whose: a distribution that writes into another's package is not locked.

An installer puts the files of both into one folder and says nothing. What is overwritten breaks the other's
hash, but what is added to a package that is not locked, or to Toolcrib itself, would be imported as if it
belonged there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable

from toolcrib.errors import PackError
from toolcrib.packs._discover import Found
from toolcrib.packs._files import Files

__all__ = ["refuse_overlap"]

_OURS = "toolcrib"


def refuse_overlap(found: Found, files: Files) -> None:
    """Raise `PackError` when a module of the pack is also another distribution's, or Toolcrib's own."""
    from importlib.metadata import distributions

    for root in files.roots:
        if root.split(".")[0] == _OURS:
            raise _overlaps(found, root, _OURS)
    stems = [root.replace(".", "/") for root in files.roots]
    paths = tuple(f"{stem}{end}" for stem in stems for end in ("/", ".py"))
    for other in distributions():
        name = other.metadata["Name"] or "?"
        if name != found.distribution and (hit := _first(other.read_text("RECORD") or "", paths)):
            raise _overlaps(found, hit, name)


def _first(record: str, paths: tuple[str, ...]) -> str:
    return next((name for name in _names(record) if name.startswith(paths)), "")


def _names(record: str) -> Iterable[str]:
    return (row[0] for row in csv.reader(record.splitlines()) if row)


def _overlaps(found: Found, what: str, owner: str) -> PackError:
    return PackError(
        f"{found.distribution} has a package that is also {owner}'s: {what}",
        rule="a locked pack's modules are its own",
        remedy="Uninstall one of the two, and install the other one again",
    )
