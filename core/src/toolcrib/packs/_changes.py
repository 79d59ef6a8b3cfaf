"""What is new or different between a pack as it was locked and as it is now, in words for a reviewer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from toolcrib.effects import EFFECTS
from toolcrib.packs._lock import LockedPack, LockedTool

if TYPE_CHECKING:
    from toolcrib.tools import Tool

__all__ = ["Change", "changes", "differences", "locked_tool"]

Kind: TypeAlias = Literal[
    "pack", "owner", "version", "module", "files", "hook",
    "tool", "removed", "description", "schema", "effect", "lowered",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` and `after` are texts to compare, empty where `text` says it all."""

    kind: Kind
    text: str
    before: str = ""
    after: str = ""

    @property
    def grave(self) -> bool:
        """True for what an attacker would do first: more rights, or other words for a trusted tool."""
        return self.kind in ("owner", "hook", "description", "lowered")


def locked_tool(tool: Tool) -> LockedTool:
    """What the lock keeps of a tool."""
    import orjson

    schema = hashlib.sha256(orjson.dumps(tool.schema, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return LockedTool(tool.effect, tool.description, schema, tool.fingerprint)


def changes(name: str, old: LockedPack | None, new: LockedPack) -> list[Change]:
    """Everything that a reviewer should see before `new` replaces `old`; empty when they are the same."""
    return [*_pack_changes(name, old, new), *_tool_changes(old, new)]


def _pack_changes(name: str, old: LockedPack | None, new: LockedPack) -> Iterator[Change]:
    if old is None:
        yield Change("pack", f"new pack {name} from {new.distribution} {new.version} ({new.module})")
    else:
        if old.distribution != new.distribution:
            yield Change("owner", f"owner changes from {old.distribution} to {new.distribution}")
        if old.version != new.version:
            yield Change("version", f"version {old.version} becomes {new.version}")
        if old.module != new.module:
            yield Change("module", f"module {old.module} becomes {new.module}")
        if old.files != new.files:
            yield Change("files", f"files {old.files[:19]}… become {new.files[:19]}…")
    for hook in new.hooks:
        if old is None or hook not in old.hooks:
            yield Change("hook", f"hook added: {hook}")


def _tool_changes(old: LockedPack | None, new: LockedPack) -> Iterator[Change]:
    before = old.tools if old else {}
    for name, tool in sorted(new.tools.items()):
        if name in before:
            yield from differences(name, before[name], tool)
        else:
            yield Change("tool", f"tool added: {name} ({tool.effect})", after=tool.description)
    yield from (
        Change("removed", f"tool removed: {name}") for name in sorted(before) if name not in new.tools
    )


def differences(name: str, old: LockedTool | None, new: LockedTool) -> list[Change]:
    """How one tool differs from the locked one."""
    if old is None:
        return [Change("tool", f"{name} is not locked")]
    found = []
    if old.effect != new.effect:
        lowered = EFFECTS.index(new.effect) < EFFECTS.index(old.effect)
        way = "lowered" if lowered else "raised"
        kind: Kind = "lowered" if lowered else "effect"
        found.append(Change(kind, f"{name}: effect {way} from {old.effect} to {new.effect}"))
    if old.description != new.description:
        found.append(Change("description", f"{name}: description changed", old.description, new.description))
    if old.schema != new.schema:
        found.append(Change("schema", f"{name}: schema changed"))
    if not found and old.fingerprint != new.fingerprint:
        found.append(Change("schema", f"{name}: fingerprint changed"))
    return found
