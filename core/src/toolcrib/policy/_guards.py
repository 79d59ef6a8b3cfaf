"""Which tests and properties held a policy, so that their loss does not go by unseen.

`guards.json` in the history says how many tables and whether properties were there last. What is missing
leaves it as it was; only what is there says something else: an empty `tests/`, or `property = []`.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["PROPERTIES", "TESTS", "Guards", "losses", "says_none", "seen"]

TESTS = "tests"
"""The folder of a policy's own tests, beside its files."""
PROPERTIES = "properties.toml"
"""The file of a policy's properties, beside its files."""

_NONE = b"property=[]"
_SHORT = 64


@dataclass(frozen=True, slots=True)
class Guards:
    """What a change of a policy had to pass: how many tables, and whether there were properties."""

    tests: int = 0
    properties: bool = False

    @classmethod
    def parsed(cls, text: str) -> Guards:
        """What `text` says; raises `ValueError` or `TypeError` if it was not written by `text`."""
        found = cls(**json.loads(text))
        if not (isinstance(found.tests, int) and isinstance(found.properties, bool)):
            raise TypeError("a number and a truth are asked for")
        return found

    @property
    def text(self) -> str:
        """For the file."""
        return json.dumps(asdict(self)) + "\n"

    def __str__(self) -> str:
        return f"{self.tests} test files, {'properties' if self.properties else 'no properties'}"


def seen(folder: Path, before: Guards) -> Guards:
    """What stands in a policy's folder; what is missing there stays as it was."""
    tests, properties = before.tests, before.properties
    if (folder / TESTS).is_dir():
        tests = sum(path.is_file() for path in (folder / TESTS).glob("*.y*ml"))
    if (folder / PROPERTIES).is_file():
        properties = not says_none(folder / PROPERTIES)
    return Guards(tests, properties)


def says_none(file: Path) -> bool:
    """Whether a file of properties says in so many words that there are none; an empty one says nothing."""
    return file.is_file() and file.stat().st_size < _SHORT and b"".join(file.read_bytes().split()) == _NONE


def losses(folder: Path, guards: Guards, *, tests: bool = True) -> list[str]:
    """What is missing in a policy's folder, each with the remedy."""
    found = []
    if tests and guards.tests and not (folder / TESTS).is_dir():
        files = "1 file" if guards.tests == 1 else f"{guards.tests} files"
        found.append(
            f"the policy's tests ({files}) that were in force are gone: restore {folder / TESTS}, or leave "
            "it as an empty folder to say that there are none"
        )
    if guards.properties and not os.path.lexists(folder / PROPERTIES):
        found.append(
            f"the policy's properties that were in force are gone: restore {folder / PROPERTIES}, or write "
            "`property = []` there to say that there are none"
        )
    return found
