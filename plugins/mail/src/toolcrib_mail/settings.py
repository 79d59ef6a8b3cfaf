"""The pack's settings: the table `[packs.mail]` of `toolcrib.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolcrib.errors import ConfigError
from toolcrib_mail.models import check_address

__all__ = ["MailSettings"]


@dataclass(frozen=True, slots=True)
class MailSettings:
    """`outbox` is relative to the pack's own folder; `max_recipients` counts `to` and `cc` together."""

    sender: str = "agent@toolcrib.example"
    outbox: Path = Path("outbox")
    max_recipients: int = 10

    def __post_init__(self) -> None:
        try:
            check_address(self.sender)
        except ValueError as error:
            raise ConfigError(
                f"[packs.mail] sender: {error}", rule="sender is one plain address", remedy="Correct it"
            ) from None
        if self.max_recipients < 1:
            raise ConfigError(
                f"[packs.mail] max_recipients = {self.max_recipients}", rule="at least 1", remedy="Raise it"
            )
