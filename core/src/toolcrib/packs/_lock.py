"""`toolcrib.lock`: which packs may run, as they were when somebody looked at them.

TOML, sorted, one line per fact, descriptions and schemas in full: a change is reviewed in git like code.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from toolcrib._visible import odd_places
from toolcrib.effects import Effect
from toolcrib.errors import ConfigError, PackError
from toolcrib.packs._settings import parse

__all__ = ["Lock", "LockedPack", "LockedTool"]

FORMAT = 2
_HEADER = "# Written by `toolcrib packs lock`. What stands here may run: review a change of it like code.\n"
_REMEDY = "Restore it from version control, or remove it and lock again with `toolcrib packs lock`"


@dataclass(frozen=True, slots=True)
class LockedTool:
    """One tool as it was locked; `schema` has one fact a line, `fingerprint` is a SHA-256 in hex."""

    effect: Effect
    description: str
    schema: tuple[str, ...]
    fingerprint: str
    idempotent: bool = False
    labels: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    preview: str = ""


_TOOL_KEYS = {field.name for field in fields(LockedTool)}


@dataclass(frozen=True, slots=True)
class LockedPack:
    """One pack as it was locked. `sequence` grows: of two packs that collide, the one locked later yields."""

    distribution: str
    version: str
    module: str
    sequence: int
    files: str
    hooks: tuple[str, ...] = ()
    tools: Mapping[str, LockedTool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lock:
    """All locked packs by name."""

    packs: Mapping[str, LockedPack] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Lock:
        """The lock in `file`; a missing file locks nothing, a broken one raises `PackError`."""
        try:
            data = tomllib.loads(file.read_text("utf-8"))
            return cls({name: _pack(name, table) for name, table in _tables(data).items()})
        except FileNotFoundError:
            return cls()
        except ConfigError as error:
            raise PackError(f"{file}: {error.what}", rule=error.rule, remedy=_REMEDY) from error
        except (OSError, ValueError) as error:  # TOML and UTF-8 errors are ValueErrors
            raise PackError(f"{file}: {error}", rule="the lock is TOML in UTF-8", remedy=_REMEDY) from error

    def write(self, file: Path) -> None:
        """Replace `file` whole, durably; raises OSError and then leaves the old file as it was."""
        import tempfile

        handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(self.text())
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def text(self) -> str:
        """The file's content."""
        parts = [_HEADER, f"version = {FORMAT}\n"]
        parts += ["\n" + "\n".join(_lines(name, self.packs[name])) + "\n" for name in sorted(self.packs)]
        return "".join(parts)

    def changed(
        self, locked: Mapping[str, LockedPack], removed: set[str] | frozenset[str] = frozenset()
    ) -> Lock:
        """This lock with packs added, replaced and removed; each keeps its place, new ones come last."""
        packs = {name: pack for name, pack in self.packs.items() if name not in removed}
        return Lock({**packs, **locked})

    @property
    def next_sequence(self) -> int:
        """The place of the next new pack."""
        return 1 + max((pack.sequence for pack in self.packs.values()), default=0)


def _tables(data: Mapping[str, Any]) -> Mapping[str, Any]:
    top = parse(_Top, data, "[lock]")
    if top.version != FORMAT:
        raise ConfigError(f"version = {top.version}", rule=f"this toolcrib reads lock version {FORMAT}")
    return top.packs


def _pack(name: str, table: Mapping[str, Any]) -> LockedPack:
    place = f"[packs.{name}]"
    tools = table.get("tools", {})
    tables = list(tools.values()) if isinstance(tools, Mapping) else []
    if all(isinstance(given, Mapping) and given.keys() <= _TOOL_KEYS for given in tables):
        with suppress(ConfigError):  # each tool alone, below, says better what is wrong
            return parse(LockedPack, table, place)
    for tool, given in tools.items() if isinstance(tools, Mapping) else ():
        parse(LockedTool, given, f'[packs.{name}.tools."{tool}"]')
    return parse(LockedPack, table, place)


@dataclass(frozen=True, slots=True)
class _Top:
    version: int
    packs: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def _lines(name: str, pack: LockedPack) -> Iterator[str]:
    yield f"[packs.{_quote(name)}]"
    values = asdict(pack)
    tools = values.pop("tools")
    yield from (f"{key} = {_value(value)}" for key, value in values.items())
    for tool in sorted(tools):
        yield f"\n[packs.{_quote(name)}.tools.{_quote(tool)}]"
        yield from (f"{key} = {_value(value)}" for key, value in tools[tool].items())


def _value(value: str | int | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        lines = [_quote(item) for item in sorted(value)]
        return (
            "[\n" + "".join(f"  {line},\n" for line in lines) + "]"
            if len(lines) > 4
            else f"[{', '.join(lines)}]"
        )
    if isinstance(value, bool):
        return str(value).lower()
    return _quote(value) if isinstance(value, str) else str(value)


def _quote(text: str) -> str:
    """A TOML basic string; what would deceive a reviewer of a diff is written as an escape."""
    odd = odd_places(text)
    return (
        '"'
        + "".join(_escape(char) if place in odd else _plain(char) for place, char in enumerate(text))
        + '"'
    )


def _plain(char: str) -> str:
    return {'"': '\\"', "\\": "\\\\", "\n": "\\n"}.get(char, char)


def _escape(char: str) -> str:
    return "\\t" if char == "\t" else f"\\U{ord(char):08x}"
