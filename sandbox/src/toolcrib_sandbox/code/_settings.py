"""`[packs.code]` in `toolcrib.toml`."""

from __future__ import annotations

from dataclasses import dataclass

from toolcrib.errors import ConfigError

__all__ = ["CodeSettings"]


@dataclass(frozen=True, slots=True)
class CodeSettings:
    """At most `sessions` are open at once; one that nobody used for `idle_seconds` is closed. Of what a run
    prints, `output_bytes` come back.
    """

    sessions: int = 4
    idle_seconds: float = 600.0
    output_bytes: int = 24 * 1024

    def __post_init__(self) -> None:
        if self.sessions < 1 or self.idle_seconds <= 0 or not 0 < self.output_bytes <= 1024 * 1024:
            raise ConfigError(
                f"sessions = {self.sessions}, idle_seconds = {self.idle_seconds}, "
                f"output_bytes = {self.output_bytes}",
                rule="[packs.code]: at least one session, a time above 0, output up to 1 MiB",
            )
