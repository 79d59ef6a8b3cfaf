"""The sample policy of an installed pack, read without importing the pack.

It comes from a stranger: it may speak of the stranger's own tools and secrets, and of nothing else.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from toolcrib._nearest import did_you_mean
from toolcrib.errors import PackError
from toolcrib.packs._discover import discover

__all__ = ["Sample", "sample_of"]

_OBJECT = 3
"""Which field of a p, p2 or p3 row names the tools; the first is the row's kind."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`rows` is the text of its policy.csv, `tests` the texts of its tables by name."""

    rows: str
    tests: dict[str, str]
    editable: bool


def sample_of(pack: str) -> Sample:
    """The sample policy; raises `PackError` without one, and for a row about what is not the pack's."""
    installed = discover()
    if len(installed.get(pack, ())) != 1:
        raise PackError(
            f"no pack {pack!r} is installed"
            if pack not in installed
            else f"several packs are called {pack!r}",
            rule="a sample policy comes with one installed pack",
            remedy=did_you_mean(pack, installed),
        )
    (found,) = installed[pack]
    spec = find_spec(found.module.partition(":")[0].partition(".")[0])  # a top-level name: nothing is run
    folder = Path(next(iter(spec.submodule_search_locations or ()), ".") if spec else ".") / "policy"
    try:
        rows = (folder / "policy.csv").read_text("utf-8")
        tests = {file.name: file.read_text("utf-8") for file in sorted((folder / "tests").glob("*.yaml"))}
    except (OSError, ValueError) as error:
        raise PackError(
            f"pack {pack!r} has no sample policy that can be read",
            rule="a sample policy is policy/policy.csv in the pack's package",
            remedy="Make the crib without --sample, and write rows of your own",
        ) from error
    for line, object_ in _objects(rows):
        if not object_.startswith((f"{pack}.", f"secret:{pack}.")):
            raise PackError(
                f"the sample policy of pack {pack!r} has a row about {object_!r} in line {line}",
                rule="a pack's sample policy is about its own tools and secrets",
                remedy="Look at it, and copy by hand what you agree with",
            )
    return Sample(rows, tests, found.editable)


def _objects(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        fields = [field.strip() for field in next(csv.reader([line], skipinitialspace=True), [])]
        if fields and fields[0] and not fields[0].startswith(("#", "g")):
            known = fields[0] in ("p", "p2", "p3") and len(fields) > _OBJECT
            yield number, fields[_OBJECT] if known else ", ".join(fields)
