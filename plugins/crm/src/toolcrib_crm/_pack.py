"""How the pack builds its toolkit from its settings."""

from __future__ import annotations

from toolcrib import Toolkit
from toolcrib.hookspecs import PackConfig, hookimpl
from toolcrib_crm.backend import Backend
from toolcrib_crm.settings import CRMSettings
from toolcrib_crm.toolkit import CRM

__all__ = ["toolcrib_toolkits"]


@hookimpl
def toolcrib_toolkits(config: PackConfig) -> list[Toolkit]:
    """One toolkit over the configured backend."""
    settings = config.parse(CRMSettings)
    return [CRM(_backend(settings, config), settings)]


def _backend(settings: CRMSettings, config: PackConfig) -> Backend:
    if settings.backend == "salesforce":
        from toolcrib_crm.salesforce import SalesforceBackend  # the client library is an extra

        return SalesforceBackend(settings)
    from toolcrib_crm.embedded import EmbeddedBackend

    return EmbeddedBackend(config.folder, converted_status=settings.converted_status)
