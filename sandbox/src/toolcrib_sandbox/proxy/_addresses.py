"""Which addresses may be connected to. An allowed name may still point to this host or to its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

__all__ = ["Address", "forbidden", "why_forbidden"]

Address = IPv4Address | IPv6Address

_NAT64 = ip_network("64:ff9b::/96")
_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"))
)
"""Where clouds hand out credentials; the last one is a public address that means the host itself."""


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def why_forbidden(address: Address, *, allow_loopback: bool = False) -> str:
    """Why nothing may be sent to this address; "" if it may."""
    inner = _inner(address)
    if inner in _METADATA:
        return "a metadata service"
    if inner.is_loopback:
        return "" if allow_loopback else "a loopback address"
    if inner.is_link_local:
        return "a link-local address"
    if inner.is_multicast:
        return "a multicast address"
    if not inner.is_global or inner.is_unspecified or inner.is_reserved:
        return "a private or reserved address"
    return ""


def forbidden(addresses: Sequence[str], *, allow_loopback: bool = False) -> str:
    """Why a name with these addresses may not be connected to; one bad address is enough, since whoever owns
    the name chooses which of them a client takes.
    """
    if not addresses:
        return "it has no address"
    for text in addresses:
        try:
            why = why_forbidden(ip_address(text.partition("%")[0]), allow_loopback=allow_loopback)
        except ValueError:
            why = "no address"
        if why:
            return f"it resolves to {why}"
    return ""
