"""Which addresses are public, however they are written: for whatever connects where somebody else says."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

__all__ = ["Address", "why_not_public"]

Address: TypeAlias = IPv4Address | IPv6Address

_NAT64 = IPv6Network("64:ff9b::/96")
_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"))
)
"""Where clouds hand out credentials; 168.63.129.16 is public by number, but means the host itself."""
_INSIDE = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # relays to IPv6
            "64:ff9b:1::/48",  # NAT64 of one's own network
            "fec0::/10",  # site-local
            "::/96",  # IPv4 in the form that nobody uses any more
        ),
    )
)
"""Not public, whatever the `ipaddress` module of an older Python says of them."""


def why_not_public(address: Address, *, allow_loopback: bool = False) -> str:
    """Why no stranger may send us to this address, also inside an IPv6 form; "" for a public one.

    `allow_loopback` opens 127.0.0.0/8 and ::1, for tests.
    """
    inner = _inner(address)
    if inner in _METADATA:
        return "a metadata service"
    if inner.is_loopback:
        return "" if allow_loopback else "a loopback address"
    if inner.is_link_local:
        return "a link-local address"
    if inner.is_multicast:
        return "a multicast address"
    if not inner.is_global or inner.is_reserved or any(inner in net for net in _INSIDE):
        return "a private or reserved address"
    return ""


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.teredo[1] if address.teredo else address
