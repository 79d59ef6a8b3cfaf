"""How the pack builds its toolkit from its settings."""

from __future__ import annotations

from toolcrib import Toolkit
from toolcrib.hookspecs import PackConfig, hookimpl
from toolcrib_research.backend import Backend
from toolcrib_research.settings import ResearchSettings
from toolcrib_research.toolkit import Research

__all__ = ["toolcrib_toolkits"]


@hookimpl
def toolcrib_toolkits(config: PackConfig) -> list[Toolkit]:
    """One toolkit over the configured source."""
    return [Research(_backend(config.parse(ResearchSettings)))]


def _backend(settings: ResearchSettings) -> Backend:
    if settings.backend == "http":
        from toolcrib_research.http import HTTPBackend  # httpx is slow to import

        return HTTPBackend(settings)
    from toolcrib_research.embedded import EmbeddedBackend

    return EmbeddedBackend()
