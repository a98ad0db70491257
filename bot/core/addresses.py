"""What network addresses stand for: the internet, or this machine."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether this IP address is out on the internet.

    Not private, loopback, link-local, multicast or reserved. An IPv6 address that stands for an IPv4 one
    counts as that one. What is no IP address is not public.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    found = _inner(found)
    return found.is_global and not found.is_multicast and not found.is_reserved


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that packets to an IPv6 one end at, where it is such a one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address


def is_address(host: str) -> bool:
    """Whether this is an IP address rather than a name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether this address or name is this machine and no other."""
    name = host.strip("[]").partition("%")[0].lower()
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def is_every_address(host: str) -> bool:
    """Whether who listens on this listens on all addresses of this machine, its own loopback included."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False
