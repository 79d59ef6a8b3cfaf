"""All packs of a crib: those that may run, and those that may not, with the reason and the remedy.

The order of checks, cheapest and most certain first: the name and who owns it, the lock's entry, the version,
the bytes on the disk; only then is anything imported; then the hooks; then each tool.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from toolcrib._nearest import nearest
from toolcrib._private import make_private
from toolcrib.errors import PackError
from toolcrib.hookspecs import PackConfig
from toolcrib.packs._builtin import NAME as CORE
from toolcrib.packs._builtin import builtin
from toolcrib.packs._changes import differences, locked_tool
from toolcrib.packs._discover import Found, check_name, discover
from toolcrib.packs._files import Files, read_files
from toolcrib.packs._guard import forget, guard, unguard
from toolcrib.packs._loaded import LoadedPack, LoadedPacks, StoppedTool, refused
from toolcrib.packs._lock import Lock, LockedPack
from toolcrib.packs._open import Contributions, open_pack

if TYPE_CHECKING:
    from toolcrib.config import Config, Trust
    from toolcrib.tools import Tool

__all__ = ["load_packs", "pack_config"]


def load_packs(config: Config, lock: Lock | None = None) -> LoadedPacks:
    """Check, import and register every installed pack; `lock` is the config's own unless given.

    A pack that breaks a rule is quarantined and the rest goes on. Raises `PackError` only for a lock that
    cannot be read.
    """
    lock = Lock.read(config.lock_file) if lock is None else lock
    installed = discover()
    loaded = [
        _load(found, rivals, config, lock.packs.get(name))
        for name, rivals in installed.items()
        for found in rivals
    ]
    packs = LoadedPacks([*loaded, *_absent(config, lock, installed)], builtin(config))
    _settle_collisions(packs)
    return packs


def _settle_collisions(packs: LoadedPacks) -> None:
    """Of two packs that claim one name, the one locked later is left out, whole."""
    from toolcrib.registry import Registry

    registry, claimed = Registry(), dict.fromkeys(packs.builtin.names(), CORE)
    for pack in packs.in_lock_order():
        names = pack.contributions.names()
        taken = [name for name in names if name in claimed]
        try:
            if taken:
                raise _taken(pack.name, *taken[0], by=claimed[taken[0]])
            registry.add(pack.tools)
        except PackError as error:
            packs.quarantine(pack.name, error)
        else:
            claimed |= dict.fromkeys(names, pack.name)


def _taken(pack: str, kind: str, name: str, *, by: str) -> PackError:
    if by == CORE:
        return PackError(
            f"pack {pack!r} brings the {kind} {name!r}, which is built in",
            rule="no pack stands in for what is built in",
            remedy="Ask its author to rename it",
        )
    return PackError(
        f"pack {pack!r} brings the {kind} {name!r}, and so does {by!r}",
        rule="names are unique; the pack locked first keeps the name",
        remedy="Uninstall one of the two",
    )


def _load(found: Found, rivals: list[Found], config: Config, entry: LockedPack | None) -> LoadedPack:
    settings = config.packs.get(found.name)
    trust: Trust = settings.trust if settings else config.trust
    sequence = entry.sequence if entry and trust == "locked" else None
    used = entry is not None or settings is not None or trust == "installed"
    pack = LoadedPack(
        found.name, found.distribution, found.version, "active", trust, sequence=sequence, used=used
    )
    try:
        _check_owner(found, rivals, entry)
        contributions = _open(found, config, entry, trust)
    except PackError as error:
        return refused(pack, error)
    tools, stopped = _judge(contributions.tools, entry if trust == "locked" else None)
    return replace(pack, contributions=contributions, tools=tools, stopped=stopped)


def _check_owner(found: Found, rivals: list[Found], entry: LockedPack | None) -> None:
    check_name(found.name)
    if entry is not None and found.distribution != entry.distribution:
        raise PackError(
            f"pack name {found.name!r} belongs to {entry.distribution}, not to {found.distribution}",
            rule="the lock says which distribution owns a pack's name",
            remedy=f"Uninstall {found.distribution}; or give it the name: `toolcrib packs lock {found.name} "
            f"--from {found.distribution}`",
        )
    if entry is None and len(rivals) > 1:
        names = " and ".join(rival.distribution for rival in rivals)
        raise PackError(
            f"pack name {found.name!r} is claimed by {names}",
            rule="a pack's name has one owner, and none is locked",
            remedy=f"Uninstall one, or choose: `toolcrib packs lock {found.name} --from DISTRIBUTION`",
        )


def _open(found: Found, config: Config, entry: LockedPack | None, trust: Trust) -> Contributions:
    if trust == "installed":
        unguard(found.module)
        return open_pack(found, pack_config(found.name, config))
    files = _check_files(found, entry)
    guard(files)
    known = set(sys.modules)
    try:
        permitted = frozenset(entry.hooks if entry else ())
        return open_pack(found, pack_config(found.name, config), permitted)
    except PackError:
        forget(files.roots, known)
        raise


def _check_files(found: Found, entry: LockedPack | None) -> Files:
    """The pack's files, when they are the locked ones; nothing has been imported yet."""
    look = f"Look at it and lock it: `toolcrib packs lock {found.name}`"
    if found.editable:
        raise PackError(
            f"{found.distribution} is installed editable (or brings a .pth file)",
            rule="a locked pack's files are the ones that were installed",
            remedy=f'For development write trust = "installed" under [packs.{found.name}]; '
            "else install its wheel",
        )
    if entry is None:
        raise PackError(f"pack {found.name!r} is not locked", rule="installed is not trusted", remedy=look)
    for fact in ("version", "module"):
        locked, now = getattr(entry, fact), getattr(found, fact)
        if locked != now:
            raise PackError(
                f"pack {found.name!r} has changed: {fact} {locked} is now {now}",
                rule="a pack runs as it was locked",
                remedy=look,
            )
    files = read_files(found)
    if files.hash != entry.files:
        notes = "; ".join(files.notes) or "it was installed again with other files"
        raise PackError(
            f"pack {found.name!r} has changed: {notes}",
            rule="the files' hash is not the one in the lock",
            remedy=f"Install {found.distribution} {found.version} again, or look at the change and lock it: "
            f"`toolcrib packs lock {found.name}`",
        )
    return files


def pack_config(name: str, config: Config) -> PackConfig:
    """What this pack may know; its private folder is made here, readable by its owner only."""
    settings = config.packs.get(name)
    folder = config.state / "packs" / name
    try:
        make_private(folder)
    except OSError as error:
        raise PackError(
            f"the folder of pack {name!r} cannot be made: {error}", remedy="Make the state folder writable"
        ) from error
    return PackConfig(name, settings.settings if settings else {}, folder, config.tenant)


def _judge(
    tools: Iterable[Tool], entry: LockedPack | None
) -> tuple[tuple[Tool, ...], tuple[StoppedTool, ...]]:
    if entry is None:
        return tuple(tools), ()
    kept, stopped = [], []
    for tool in tools:
        changes = differences(tool.name, entry.tools.get(tool.name), locked_tool(tool))
        if changes:
            reason = "; ".join(change.text for change in changes)
            stopped.append(StoppedTool(tool.name, reason, f"`toolcrib packs lock {tool.pack}`"))
        else:
            kept.append(tool)
    return tuple(kept), tuple(stopped)


def _absent(config: Config, lock: Lock, installed: Mapping[str, object]) -> Iterator[LoadedPack]:
    """Packs that the lock or the config name, but that are not there."""
    for name, entry in lock.packs.items():
        if name not in installed:
            install = f"pip install {entry.distribution}=={entry.version}"
            remedy = f"{install}, or forget it: `toolcrib packs lock {name}`"
            yield LoadedPack(
                name, entry.distribution, entry.version, "quarantined",
                reason=f"pack {name!r} is locked but not installed", remedy=remedy, sequence=entry.sequence,
            )  # fmt: skip
    for name, settings in config.packs.items():
        if name not in installed and name not in lock.packs:
            near = nearest(name, installed)
            remedy = (
                f"Did you mean [packs.{near}]?"
                if near
                else f"Install its distribution, or remove [packs.{name}]"
            )
            reason = f"[packs.{name}] is configured, but no such pack is installed"
            yield LoadedPack(name, "", "", "quarantined", settings.trust, reason, remedy)
