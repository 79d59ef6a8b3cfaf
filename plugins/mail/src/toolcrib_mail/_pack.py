"""How the pack builds its toolkit from its settings."""

from __future__ import annotations

from toolcrib import Toolkit
from toolcrib.hookspecs import PackConfig, hookimpl
from toolcrib_mail.settings import MailSettings
from toolcrib_mail.toolkit import Mail

__all__ = ["toolcrib_toolkits"]


@hookimpl
def toolcrib_toolkits(config: PackConfig) -> list[Toolkit]:
    """One toolkit over the pack's folder."""
    return [Mail(config.parse(MailSettings), config.folder)]
