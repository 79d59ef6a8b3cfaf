"""The rooms, found by looking, so that a new pack is held to the same walls without being named anywhere."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    path: Path
    room: str
    """`core`, `policies`, `sandbox`, or the pack's name."""

    @cached_property
    def source(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def lines(self) -> int:
        """Lines that are not blank."""
        return sum(1 for line in self.source.splitlines() if line.strip())

    @property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        return [
            node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]


def rooms() -> dict[str, Path]:
    found = {"core": ROOT / "core", "policies": ROOT / "policies", "sandbox": ROOT / "sandbox"}
    packs = {path.parent.name: path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml")}
    return found | packs


@pytest.fixture(scope="session")
def room_folders() -> dict[str, Path]:
    return rooms()


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [
        Module(path, room)
        for room, folder in rooms().items()
        for path in sorted((folder / "src").rglob("*.py"))
        if "_template" not in path.parts  # a project of its own, which no room imports
    ]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
