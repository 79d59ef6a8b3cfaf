"""Rules that the settings of several providers share."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from toolcrib.errors import ConfigError, SecretError
from toolcrib.secrets._paths import check_path

__all__ = ["check_endpoint", "check_prefix", "check_seconds", "is_loopback", "is_protected"]


def is_protected(url: str) -> bool:
    """Whether secrets may go to this URL: https, or http to this very machine; and no user in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def check_endpoint(place: str, url: str) -> None:
    """`ConfigError` for a URL to which a secret must not go; an empty one is none."""
    if url and not is_protected(url):
        raise ConfigError(
            f"{place} is not the address of a server that secrets may come from",
            rule="it begins with https://, or with http:// for this very machine, and names no user",
            remedy='Write for example "https://HOST"',
        )


def check_prefix(prefix: str) -> None:
    """`ConfigError` for a prefix that is no path."""
    try:
        if prefix:
            check_path(prefix)
    except SecretError as error:
        raise ConfigError(
            f"[secrets] prefix = {prefix!r} cannot stand before a path",
            rule=error.rule,
            remedy='Write for example prefix = "toolcrib/prod"',
        ) from None


def check_seconds(place: str, number: float) -> None:
    """`ConfigError` for what is not above zero, or no number at all."""
    if not 0 < number < 86400:
        raise ConfigError(
            f"{place} = {number}", rule="it is above 0, and less than a day", remedy="Correct it"
        )


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this very machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
