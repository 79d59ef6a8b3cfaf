"""How the pack builds its toolkit from its settings; nothing may be connected yet."""

from __future__ import annotations

from toolcrib import Toolkit
from toolcrib.hookspecs import PackConfig, hookimpl

from toolcrib_notes.embedded import EmbeddedBackend
from toolcrib_notes.settings import Settings
from toolcrib_notes.toolkit import Items

__all__ = ["toolcrib_toolkits"]


@hookimpl
def toolcrib_toolkits(config: PackConfig) -> list[Toolkit]:
    """One toolkit over the configured backend. A vendor's backend is chosen here, by `settings.backend`."""
    settings = config.parse(Settings)
    return [Items(settings, EmbeddedBackend(config.folder))]
