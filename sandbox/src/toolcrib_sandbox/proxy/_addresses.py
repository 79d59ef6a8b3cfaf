"""Which addresses may be connected to. An allowed name may still point to this host or to its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from toolcrib.addresses import why_not_public

__all__ = ["forbidden"]


def forbidden(addresses: Sequence[str], *, allow_loopback: bool = False) -> str:
    """Why a name with these addresses may not be connected to; one bad address is enough, since whoever owns
    the name chooses which of them a client takes.
    """
    if not addresses:
        return "it has no address"
    for text in addresses:
        try:
            why = why_not_public(ip_address(text.partition("%")[0]), allow_loopback=allow_loopback)
        except ValueError:
            why = "no address"
        if why:
            return f"it resolves to {why}"
    return ""
