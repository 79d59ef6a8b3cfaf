"""What is new or different between a pack as it was locked and as it is now, in words for a reviewer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from toolcrib.effects import EFFECTS
from toolcrib.packs._lock import LockedPack, LockedTool

if TYPE_CHECKING:
    from toolcrib.tools import Preview, Tool

__all__ = ["Change", "changes", "differences", "locked_tool"]

Kind: TypeAlias = Literal[
    "pack", "lowered", "owner", "hook", "loosened", "description", "schema", "effect", "facts", "tool",
    "removed", "brings", "version", "module", "files",
]  # fmt: skip
_ORDER: tuple[Kind, ...] = get_args(Kind)
"""In which order a reviewer sees them: first what an attacker would do first."""
_GRAVE = _ORDER[1 : _ORDER.index("effect")]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` and `after` are compared line by line; empty where `text` says it all."""

    kind: Kind
    text: str
    before: str = ""
    after: str = ""

    @property
    def grave(self) -> bool:
        """True for more rights, other words or another shape of a trusted tool, and for less protection."""
        return self.kind in _GRAVE


def locked_tool(tool: Tool) -> LockedTool:
    """What the lock keeps of a tool."""
    from toolcrib.packs._schema_lines import schema_lines

    return LockedTool(
        effect=tool.effect,
        description=tool.description,
        schema=schema_lines(tool.schema),
        idempotent=tool.idempotent,
        labels=tuple(sorted(tool.labels)),
        targets=tuple(sorted(tool.targets)),
        sensitive=tuple(sorted(tool.sensitive)),
        preview=_preview(tool.preview),
        fingerprint=tool.fingerprint,
    )


def _preview(preview: Preview | None) -> str:
    if preview is None:
        return ""
    given: dict[str, Any] = {
        **{name: repr(value) for name, value in preview.given.items()},
        **preview.mapping,
    }
    return f"{preview.tool}({', '.join(f'{name}={given[name]}' for name in sorted(given))})"


def changes(name: str, old: LockedPack | None, new: LockedPack) -> list[Change]:
    """Everything that a reviewer should see before `new` replaces `old`, the gravest first; empty when they
    are the same.
    """
    found = [*_pack_changes(name, old, new), *_tool_changes(old, new)]
    return sorted(found, key=lambda change: _ORDER.index(change.kind))


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
            # That a new pack brings tools is what it is for; every other hook is a right of its own.
            usual = old is None and hook == "toolcrib_toolkits"
            yield Change("brings" if usual else "hook", f"hook added: {hook}")
    for hook in old.hooks if old else ():
        if hook not in new.hooks:
            yield Change("brings", f"hook removed: {hook}")


def _tool_changes(old: LockedPack | None, new: LockedPack) -> Iterator[Change]:
    before = old.tools if old else {}
    worst_first = sorted(new.tools.items(), key=lambda item: (-EFFECTS.index(item[1].effect), item[0]))
    for name, tool in worst_first:
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
    found = [*_effect_change(name, old, new), *_loosened(name, old, new)]
    if old.description != new.description:
        found.append(Change("description", f"{name}: description changed", old.description, new.description))
    if old.schema != new.schema:
        found.append(Change("schema", f"{name}: schema changed", *_lines(old.schema, new.schema)))
    facts = [fact for fact in ("idempotent", "labels", "targets", "sensitive", "preview")
             if getattr(old, fact) != getattr(new, fact)]  # fmt: skip
    known = " ".join(change.text for change in found if change.kind == "loosened")
    found += [
        Change("facts", f"{name}: {fact} {_told(getattr(old, fact))} becomes {_told(getattr(new, fact))}")
        for fact in facts
        if f" {fact} " not in known
    ]
    if not found and old.fingerprint != new.fingerprint:
        found.append(Change("schema", f"{name}: fingerprint changed"))
    return found


def _effect_change(name: str, old: LockedTool, new: LockedTool) -> Iterator[Change]:
    if old.effect != new.effect:
        lowered = EFFECTS.index(new.effect) < EFFECTS.index(old.effect)
        way = "LOWERED" if lowered else "raised"
        kind: Kind = "lowered" if lowered else "effect"
        yield Change(kind, f"{name}: effect {way} from {old.effect} to {new.effect}")


def _loosened(name: str, old: LockedTool, new: LockedTool) -> Iterator[Change]:
    """Less protection: policy sees fewer labels and targets, the log shows more, and more is tried again."""
    for fact in ("labels", "targets", "sensitive"):
        if gone := sorted(set(getattr(old, fact)) - set(getattr(new, fact))):
            left = _told(getattr(new, fact))
            yield Change("loosened", f"{name}: {fact} lost: {', '.join(gone)} (left: {left})")
    if new.idempotent and not old.idempotent:
        yield Change("loosened", f"{name}: idempotent now: after a failure it is tried again")
    if old.preview and not new.preview:
        yield Change("loosened", f"{name}: preview lost: {old.preview}")


def _lines(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, str]:
    """The lines that only one of them has."""
    gone, come = (tuple(line for line in one if line not in other) for one, other in ((old, new), (new, old)))
    return "\n".join(gone), "\n".join(come)


def _told(value: object) -> str:
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value) or "none"
