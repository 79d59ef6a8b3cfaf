"""One pack, opened in a folder of its own, and everything that its tools did there."""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from toolcrib._arguments import to_json
from toolcrib.errors import InvalidArguments, ToolcribError
from toolcrib.executor._results import pack_up
from toolcrib.hookspecs import PackConfig
from toolcrib.secrets import Redactor
from toolcrib.testing.contexts import make_context
from toolcrib.tools import Tool, Toolkit, threads_idle, tools_of

if TYPE_CHECKING:
    from toolcrib.testing.conformance import PackConformance

__all__ = ["Skip", "Stand", "Tried", "contents", "opened"]

Given: TypeAlias = Mapping[str, Any]
PATIENCE = 60.0
"""Seconds after which a call that does not end is given up: a guard against hanging, not a measure."""


class Skip(Exception):
    """Raised by a check that cannot be made for this pack, with the reason."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one call: its result as JSON, or what it raised."""

    tool: Tool
    given: Given
    value: Any = None
    error: BaseException | None = None

    @property
    def understood(self) -> bool:
        """True for a result, and for an error that the pack itself speaks."""
        return self.error is None or isinstance(self.error, ToolcribError)

    def told(self) -> str:
        """What went wrong, for a report."""
        return f"{type(self.error).__name__}: {str(self.error)[:300]}"


@dataclass
class Stand:
    """The pack's tools, callable without a crib around them."""

    suite: PackConformance
    folder: Path
    tools: dict[str, Tool]
    calls: Mapping[str, Sequence[Given]]
    said: io.StringIO
    tried: list[Tried] = field(default_factory=list)
    keys: Iterator[int] = field(default_factory=itertools.count)

    def named(self, *effects: str) -> list[Tool]:
        """The tools with these effects, or all."""
        return [tool for tool in self.tools.values() if not effects or tool.effect in effects]

    def examples(self, tool: Tool) -> Sequence[Given]:
        """The good calls of a tool, as its suite gives them."""
        return self.calls.get(_short(tool), ())

    def state(self) -> Any:
        """All that the tools could have changed, comparable."""
        return self.suite.state(self.folder)

    async def call(self, tool: Tool, given: Given, *, seconds: float | None = None) -> Tried:
        """Run the tool with checked arguments, as a call of its own; `InvalidArguments` is an error like
        others.
        """
        who = make_context(
            tool=tool.name,
            secrets=self.suite.secrets,
            seconds=tool.timeout if seconds is None else seconds,
            key=f"conformance:{next(self.keys)}",
        )
        who._on_progress = self._hear
        try:
            values = tool.arguments.freeze(tool.name, to_json(tool.name, given)).values
            async with asyncio.timeout(PATIENCE):
                value = await tool.start(values, who)
            tried = Tried(tool, given, orjson.loads(orjson.dumps(pack_up(value, Redactor(), 1 << 30).value)))
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            tried = Tried(tool, given, error=error)
        self.tried.append(tried)
        return tried

    def _hear(self, message: str, fraction: float | None) -> None:
        self.said.write(f"{message}\n")

    def fits(self, tool: Tool, given: Given) -> bool:
        """Whether the arguments are taken at all."""
        try:
            tool.arguments.freeze(tool.name, to_json(tool.name, given))
        except InvalidArguments:
            return False
        return True


def _short(tool: Tool) -> str:
    return tool.name.partition(".")[2]


@asynccontextmanager
async def opened(suite: PackConformance) -> AsyncIterator[Stand]:
    """The suite's pack in a new folder, with its vendor beside it; closed afterwards."""
    with TemporaryDirectory(prefix="toolcrib-check-") as name, suite.world() as vendor, _listening() as said:
        suite.vendor = vendor
        folder = Path(name)
        config = PackConfig(suite.pack, dict(suite.settings), folder, "acme")
        toolkits = suite.toolkits(config)
        try:
            tools = [tool for toolkit in toolkits for tool in tools_of(toolkit, pack=suite.pack)]
            calls = {
                tool: [given] if isinstance(given, Mapping) else list(given)
                for tool, given in suite.calls().items()
            }
            yield Stand(suite, folder, {tool.name: tool for tool in tools}, calls, said)
        finally:
            await threads_idle(PATIENCE)
            await _close(toolkits)


async def _close(toolkits: Sequence[Toolkit]) -> None:
    for toolkit in toolkits:
        await toolkit.close()


@contextmanager
def _listening() -> Iterator[io.StringIO]:
    """Everything that is logged meanwhile, at any level."""
    said = io.StringIO()
    handler, root = logging.StreamHandler(said), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def contents(folder: Path) -> dict[str, Any]:
    """What is in a folder: the rows of SQLite files, the bytes of others. A database that is only opened, or
    has no rows, is as if it were not there.
    """
    found: dict[str, Any] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(file.relative_to(folder))
        if name.endswith(("-wal", "-shm", "-journal", ".lock")):
            continue
        head = file.read_bytes()[:16]
        found[name] = _rows(file) if head.startswith(b"SQLite format 3") else file.read_bytes()
    return {name: data for name, data in found.items() if data}


def _rows(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        return list(database.iterdump())
