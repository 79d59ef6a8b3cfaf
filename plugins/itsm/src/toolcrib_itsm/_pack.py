"""How the pack builds its toolkit from its settings."""

from __future__ import annotations

from toolcrib import Toolkit
from toolcrib.hookspecs import PackConfig, hookimpl
from toolcrib_itsm.backend import Backend
from toolcrib_itsm.settings import ITSMSettings
from toolcrib_itsm.toolkit import ITSM

__all__ = ["toolcrib_toolkits"]


@hookimpl
def toolcrib_toolkits(config: PackConfig) -> list[Toolkit]:
    """One toolkit over the configured backend."""
    settings = config.parse(ITSMSettings)
    return [ITSM(_backend(settings, config), settings)]


def _backend(settings: ITSMSettings, config: PackConfig) -> Backend:
    if settings.backend == "servicenow":
        from toolcrib_itsm.servicenow import ServiceNowBackend  # the client libraries are extras

        return ServiceNowBackend(settings)
    if settings.backend == "roundup":
        from toolcrib_itsm.roundup import RoundupBackend

        return RoundupBackend(settings)
    from toolcrib_itsm.embedded import EmbeddedBackend

    return EmbeddedBackend(config.folder)
