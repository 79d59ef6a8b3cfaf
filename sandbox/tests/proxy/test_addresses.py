"""Addresses that a name may point to, and those that it may not."""

from __future__ import annotations

import pytest

from toolcrib_sandbox.proxy._addresses import forbidden

GOOD = ["93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:93.184.215.14"]
BAD = [
    "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1",
    "192.168.1.1",
    "::ffff:10.0.0.1", "100.64.0.1", "169.254.169.254", "::ffff:169.254.169.254", "169.254.0.1", "fe80::1",
    "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "168.63.129.16", "100.100.100.200", "224.0.0.1", "ff02::1",
    "255.255.255.255", "240.0.0.1", "2002:7f00:1::", "2002:a00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe", "192.0.2.1", "198.18.0.1", "nonsense",
    "192.0.0.192", "192.88.99.1", "64:ff9b:1::a9fe:a9fe", "fec0::1", "::a9fe:a9fe", "::8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("address", GOOD)
def test_public_ones_may_be_reached(address: str) -> None:
    assert forbidden([address]) == ""


@pytest.mark.parametrize("address", BAD)
def test_this_host_and_its_neighbours_may_not(address: str) -> None:
    assert forbidden([address])
    assert forbidden([GOOD[0], address]), "one bad address is enough"


def test_a_name_without_addresses_is_refused() -> None:
    assert forbidden([]) == "it has no address"


def test_loopback_may_be_permitted_and_nothing_else_with_it() -> None:
    assert forbidden(["127.0.0.1", "::1"], allow_loopback=True) == ""
    assert forbidden(["10.0.0.1"], allow_loopback=True)
    assert forbidden(["169.254.169.254"], allow_loopback=True)
