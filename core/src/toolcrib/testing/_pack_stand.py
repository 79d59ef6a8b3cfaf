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
from toolcrib.testing._pack_made import Unmade, filled, wanted
from toolcrib.testing.contexts import make_context
from toolcrib.tools import Tool, Toolkit, threads_idle, tools_of

if TYPE_CHECKING:
    from toolcrib.context import CallContext
    from toolcrib.secrets import Secret
    from toolcrib.testing.conformance import PackConformance

__all__ = ["Skip", "Stand", "Tried", "Unfit", "contents", "opened"]

Given: TypeAlias = Mapping[str, Any]
PATIENCE = 60.0
"""Seconds after which a call that does not end is given up: a guard against hanging, not a measure."""


class Skip(Exception):
    """Raised by a check that cannot be made for this pack, with the reason."""


class Unfit(Exception):
    """Raised by a check that cannot be made, for a reason that is the pack's to mend: the problem."""


class Late(TimeoutError):
    """The call was given up by the stand."""


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

    @property
    def late(self) -> bool:
        """True for a call that was given up."""
        return isinstance(self.error, Late)

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
    asked: set[str] = field(default_factory=set)
    keys: Iterator[int] = field(default_factory=itertools.count)
    made: dict[str, Any] = field(default_factory=dict)
    making: list[Tool] = field(default_factory=list)

    def named(self, *effects: str) -> list[Tool]:
        """The tools with these effects, or all."""
        return [tool for tool in self.tools.values() if not effects or tool.effect in effects]

    def has(self, tool: Tool) -> bool:
        """Whether the tool has a good call that should succeed."""
        return bool(self.calls.get(_short(tool))) and _short(tool) not in self.suite.lacks

    async def examples(self, tool: Tool) -> list[Given]:
        """The good calls of a tool, as its suite gives them, with what others make in its place."""
        given = self.calls.get(_short(tool), ())
        for name in dict.fromkeys(each.tool for each in wanted(given)):
            await self._make(name, tool)
        try:
            return [filled(each, self.made) for each in given]
        except Unmade as error:
            raise Unfit(f"{tool.name}: {error}") from None

    async def example(self, tool: Tool) -> list[Given]:
        """The first good call of a tool, as a list; empty where there is none."""
        return (await self.examples(tool))[:1]

    async def _make(self, name: str, by: Tool) -> None:
        if name in self.made:
            return
        maker = self.tools.get(f"{self.suite.pack}.{name}")
        if maker is None or not self.calls.get(name) or maker in self.making:
            raise Unfit(
                f"{by.name}: its good call wants what {name!r} makes, which has no good call of its own"
            )
        self.making.append(maker)
        tried = await self.call(maker, (await self.examples(maker))[0])
        self.making.remove(maker)
        if tried.error is not None:
            raise Unfit(f"{by.name}: its good call wants what {name!r} makes, and that fails: {tried.told()}")
        self.made[name] = tried.value

    async def fill(self) -> int:
        """Make the good calls of all that writes and sends, so that there is something to see; how many
        succeeded. Where none did, reads are called, since sample data may be made by a first call.
        """
        done = 0
        for tool in filter(self.has, self.named("write", "send")):
            for given in await self.examples(tool):
                tried = await self.call(tool, given)
                if tried.error is None:
                    self.made.setdefault(_short(tool), tried.value)
                    done += 1
        if not done:
            await self.wake()
        return done

    async def wake(self) -> None:
        """Call reads until there is sample data, and until the vendor was asked: a login comes first."""
        vendor = self.suite.vendor
        for tool in filter(self.has, self.named("read")):
            given = self.calls[_short(tool)][0]
            if not wanted(given):  # what wants a write's result would make that write
                await self.call(tool, given)
                if self.state() and (vendor is None or vendor.requests):
                    return

    def state(self) -> Any:
        """All that the tools could have changed, comparable."""
        return self.suite.state(self.folder)

    async def call(
        self,
        tool: Tool,
        given: Given,
        *,
        seconds: float | None = None,
        patience: float | None = None,
        key: str = "",
    ) -> Tried:
        """Run the tool with checked arguments, as a call of its own unless `key` says of which; its deadline
        is in `seconds`, and after `patience` it is given up: `TimeoutError`. `InvalidArguments` is an error
        like others.
        """
        within = tool.timeout if seconds is None else seconds
        patience = min(PATIENCE, max(tool.timeout, 1.0)) if patience is None else patience
        try:
            values = tool.arguments.freeze(tool.name, to_json(tool.name, given)).values
            async with asyncio.timeout(patience) as limit:
                value = await tool.start(values, self._context(tool, within, key or self.key()))
            tried = Tried(tool, given, orjson.loads(orjson.dumps(pack_up(value, Redactor(), 1 << 30).value)))
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            late = isinstance(error, TimeoutError) and limit.expired()
            told = Late(f"it did not end within {patience:g} s") if late else error
            tried = Tried(tool, given, error=told)
        self.tried.append(tried)
        if tool.effect == "destructive":
            self.made.clear()  # it may be what was just destroyed
        return tried

    def key(self) -> str:
        """A new idempotency key."""
        return f"conformance:{next(self.keys)}"

    def _context(self, tool: Tool, seconds: float, key: str) -> CallContext:
        """What hears progress and notes, and sees which secrets are asked for."""
        who = make_context(tool=tool.name, secrets=self.suite.secrets, seconds=seconds, key=key)
        fetch = who._fetch_secret

        async def noted(name: str) -> Secret:
            self.asked.add(name)
            return await fetch(name)

        who._fetch_secret, who._on_progress = noted, self._hear
        who._on_note = lambda name, fact: self._hear(f"{name}: {fact}", None)
        return who

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
