"""The whole platform on one screen: the hooks that a pack may implement.

A pack is an installed distribution with an entry point in the group `toolcrib.packs`: its name is the pack's
name, its value a module that says `PACK_API = 1` and implements hooks with `@hookimpl`. No hook ever decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

if TYPE_CHECKING:
    import click

    from toolcrib.sandbox import OpenSandbox
    from toolcrib.secrets import OpenProvider
    from toolcrib.tools import Toolkit

__all__ = ["PACK_API", "PackConfig", "Workflow", "hookimpl"]

PACK_API = 1
hookspec = pluggy.HookspecMarker("toolcrib")
hookimpl = pluggy.HookimplMarker("toolcrib")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PackConfig:
    """What a pack may know of the config: its own table `[packs.NAME]`, a private folder, the tenant."""

    pack: str
    settings: Mapping[str, Any]
    folder: Path
    tenant: str

    def parse(self, cls: type[T]) -> T:
        """The settings as dataclass `cls`, types checked; ConfigError names an unknown key and a near one."""
        from toolcrib.packs._settings import parse

        return parse(cls, self.settings, f"[packs.{self.pack}]")


@dataclass(frozen=True, slots=True)
class Workflow:
    """A ready-made job, run as `toolcrib run NAME`; `command` builds its click command when first wanted."""

    name: str
    summary: str
    command: Callable[[], click.Command]


@hookspec
def toolcrib_toolkits(config: PackConfig) -> list[Toolkit]:  # type: ignore[empty-body]
    """The pack's toolkits, built from its own settings; nothing may be connected yet."""


@hookspec
def toolcrib_workflows() -> list[Workflow]:  # type: ignore[empty-body]
    """Ready-made jobs for `toolcrib run`."""


@hookspec
def toolcrib_secret_providers() -> Mapping[str, OpenProvider]:  # type: ignore[empty-body]
    """Secret providers by the name that `[secrets] provider` uses; called with a `ProviderConfig`."""


@hookspec
def toolcrib_sandboxes() -> Mapping[str, OpenSandbox]:  # type: ignore[empty-body]
    """Implementations of the `Sandbox` protocol by the name that `[sandbox] provider` uses."""


@hookspec
def toolcrib_approval_channels() -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Ways to ask a human, by name; called with the settings of `[approvals]`; they carry, never answer."""


@hookspec
def toolcrib_audit_sinks() -> list[Callable[[Mapping[str, Any]], None]]:  # type: ignore[empty-body]
    """Observers that get every audit record once it is durable; what they return or raise changes nothing."""
