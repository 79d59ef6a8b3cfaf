"""The pack's settings: the table `[packs.research]` of `toolcrib.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from toolcrib.errors import ConfigError

__all__ = ["ResearchSettings"]


@dataclass(frozen=True, slots=True)
class ResearchSettings:
    """`timeout` (seconds) and `max_bytes` hold for one whole answer of the HTTP provider.

    Raises `ConfigError` for an HTTP provider without a usable `base_url`.
    """

    backend: Literal["embedded", "http"] = "embedded"
    base_url: str = ""
    timeout: float = 10.0
    max_bytes: int = 1024 * 1024

    def __post_init__(self) -> None:
        if self.timeout <= 0 or self.max_bytes <= 0:
            raise ConfigError(
                f"timeout = {self.timeout}, max_bytes = {self.max_bytes}", rule="both are more than 0"
            )
        if self.backend == "http":
            self._check_url()

    def _check_url(self) -> None:
        url = urlsplit(self.base_url)
        plain_is_safe = url.scheme == "http" and _is_loopback(url.hostname or "")
        if not url.hostname or not (url.scheme == "https" or plain_is_safe) or url.username or url.query:
            raise ConfigError(
                "[packs.research] base_url is not usable",
                rule="an https URL without user name or query; http only on loopback, as a token is sent",
                remedy='Set for example base_url = "https://research.vendor.example/v1"',
            )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
