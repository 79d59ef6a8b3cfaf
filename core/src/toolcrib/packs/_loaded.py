"""The packs of a crib as they came out of the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from toolcrib.errors import PackError
from toolcrib.packs._open import Contributions

if TYPE_CHECKING:
    from toolcrib.config import Trust
    from toolcrib.hookspecs import Workflow
    from toolcrib.tools import Tool, Toolkit

__all__ = ["LoadedPack", "LoadedPacks", "StoppedTool", "refused"]


@dataclass(frozen=True, slots=True)
class StoppedTool:
    """A tool of an active pack that is not the tool that was locked, so it is not offered."""

    name: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class LoadedPack:
    """One pack. `sequence` is its place in the lock, None when it is not locked.

    A quarantined pack has a reason and a remedy and gives nothing; `tools` are those that may be offered.
    `used` is False for one that is installed, but that neither the lock nor the config has a word about.
    """

    name: str
    distribution: str
    version: str
    status: Literal["active", "quarantined"]
    trust: Trust = "locked"
    reason: str = ""
    remedy: str = ""
    sequence: int | None = None
    contributions: Contributions = field(default_factory=Contributions)
    tools: tuple[Tool, ...] = ()
    stopped: tuple[StoppedTool, ...] = ()
    used: bool = True

    @property
    def hooks(self) -> tuple[str, ...]:
        """The hooks that the pack implements."""
        return self.contributions.hooks


class LoadedPacks:
    """Every pack that is installed, locked or configured: active ones in lock order, then the others.

    `builtin` is what core brings through the same hooks.
    """

    def __init__(self, packs: Iterable[LoadedPack], builtin: Contributions = Contributions()) -> None:  # noqa: B008
        self.builtin = builtin
        self.packs = tuple(sorted(packs, key=_order))
        self._opened = tuple(toolkit for pack in self.packs for toolkit in pack.contributions.toolkits)

    def in_lock_order(self) -> tuple[LoadedPack, ...]:
        """The active packs, those locked first first, those that need no lock last."""
        return tuple(pack for pack in self.packs if pack.status == "active")

    @property
    def quarantined(self) -> tuple[LoadedPack, ...]:
        """The packs that were left out, each with its reason."""
        return tuple(pack for pack in self.packs if pack.status == "quarantined")

    @property
    def unused(self) -> tuple[LoadedPack, ...]:
        """The packs that are only installed: nobody locked or configured them here, so they do not run."""
        return tuple(pack for pack in self.quarantined if not pack.used)

    @property
    def clean(self) -> bool:
        """True when every pack that is used, and every tool, is as it was locked."""
        return not any(pack.used for pack in self.quarantined) and not any(
            pack.stopped for pack in self.packs
        )

    def quarantine(self, name: str, error: PackError) -> None:
        """Leave an active pack out after all, with everything that it gives."""
        self.packs = tuple(
            sorted(
                (
                    refused(pack, error) if pack.name == name and pack.status == "active" else pack
                    for pack in self.packs
                ),
                key=_order,
            )
        )

    def toolkits(self) -> tuple[Toolkit, ...]:
        """Every toolkit that was built, also of packs that were left out since: all must be closed."""
        return self._opened

    def workflows(self) -> dict[str, Workflow]:
        """The ready-made jobs, by name."""
        return {job.name: job for pack in self.in_lock_order() for job in pack.contributions.workflows}

    def secret_providers(self) -> dict[str, Callable[..., Any]]:
        """How to open each secret provider, by name."""
        return self._named("secret_providers")

    def sandboxes(self) -> dict[str, Callable[..., Any]]:
        """How to open each sandbox, by name."""
        return self._named("sandboxes")

    def approval_channels(self) -> dict[str, Callable[..., Any]]:
        """How to open each approval channel, by name."""
        return self._named("approval_channels")

    def audit_sinks(self) -> tuple[Callable[[Mapping[str, Any]], None], ...]:
        """The observers of the audit log."""
        return tuple(sink for pack in self.in_lock_order() for sink in pack.contributions.audit_sinks)

    def _named(self, kind: str) -> dict[str, Callable[..., Any]]:
        given = [self.builtin, *(pack.contributions for pack in self.in_lock_order())]
        return {name: made for each in given for name, made in getattr(each, kind).items()}


def _order(pack: LoadedPack) -> tuple[bool, bool, int, str, str]:
    unlocked = pack.sequence is None
    return pack.status != "active", unlocked, pack.sequence or 0, pack.name, pack.distribution


def refused(pack: LoadedPack, error: PackError) -> LoadedPack:
    """`pack`, left out for this reason, giving nothing."""
    reason = f"{error.what}. Rule: {error.rule}" if error.rule else error.what
    return replace(
        pack, status="quarantined", reason=reason, remedy=error.remedy,
        contributions=Contributions(), tools=(), stopped=(),
    )  # fmt: skip
