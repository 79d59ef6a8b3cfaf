"""Which addresses a URL from outside may lead to: those of the public Internet, however they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from toolcrib.addresses import Address, why_not_public
from toolcrib.errors import VendorRefused

__all__ = ["Destination", "URLGuard"]

_NUMERIC = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)\.?")
_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a permitted URL leads; `host` is a name or an address, in ASCII."""

    url: str
    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class URLGuard:
    """What URLs from a model or a document may be. The default is https and http to public addresses on their
    usual ports.

    `allow_loopback` opens 127.0.0.0/8 and ::1 on any port, for tests. All refusals are `VendorRefused`.
    """

    allow_loopback: bool = False
    schemes: tuple[str, ...] = ("https", "http")
    ports: tuple[int, ...] = (80, 443)

    def check(self, url: str) -> Destination:
        """The URL in parts, if its form is permitted; its addresses are judged when it is connected to."""
        if any(char <= " " or char in '\\"<>^`{|}' or char == "\x7f" for char in url):
            raise _refused("it has characters that no URL has")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise _refused("it is no URL") from None
        if parts.scheme not in self.schemes:
            raise _refused(f"its scheme is not {' or '.join(self.schemes)}")
        if parts.username is not None or parts.password is not None:
            raise _refused("it has a user name or password")
        host = _ascii(host)
        number = _address(host)
        if number is not None:
            self.check_address(number)
        loopback = self.allow_loopback and (
            host == "localhost" or (number is not None and number.is_loopback)
        )
        port = port if port is not None else {"https": 443, "http": 80}[parts.scheme]
        if port not in self.ports and not loopback:
            raise _refused(f"its port is not {' or '.join(map(str, self.ports))}")
        return Destination(url, parts.scheme, host, port)

    def check_address(self, address: Address) -> None:
        """Refuse an address that is not a public one (private, link-local, metadata, loopback, multicast,
        reserved), also inside an IPv6 form.
        """
        if why_not_public(address, allow_loopback=self.allow_loopback):
            raise _refused("it leads to an address that is not public")


def _ascii(host: str) -> str:
    """The host as a resolver gets it; refuses other spellings of a number than the usual one."""
    if ":" in host:
        return host.partition("%")[0]
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise _refused("its host is no name") from None
    if not _HOST.fullmatch(host):
        raise _refused("it has no usable host")
    # As browsers do: a host that ends in a number is an IPv4 address (WHATWG URL, "ends in a number").
    if _NUMERIC.fullmatch(host.rstrip(".").rpartition(".")[2]) and _address(host) is None:
        raise _refused("its host is an odd form of a number")
    return host.lower()


def _address(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _refused(reason: str) -> VendorRefused:
    return VendorRefused(
        f"the URL was not opened: {reason}",
        rule="only public addresses are fetched, on each redirect too",
        remedy="Use another URL",
    )
