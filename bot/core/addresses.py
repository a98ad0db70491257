"""Classification of network addresses: public, loopback or unspecified."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether this IP address is reachable on the public internet.

    False for private, loopback, link-local, multicast and reserved addresses, and for text that is not an IP
    address. An IPv6 address that embeds an IPv4 address is classified by the latter.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    found = _inner(found)
    return found.is_global and not found.is_multicast and not found.is_reserved


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that is embedded in an IPv6 address, if there is one."""
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


@lru_cache(maxsize=64)  # asked of every request, mostly of the same
def is_loopback(host: str) -> bool:
    """Whether this address or name refers to this machine only."""
    name = host.strip("[]").partition("%")[0].lower()
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def is_every_address(host: str) -> bool:
    """Whether this is the unspecified address, on which a server listens on all interfaces."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False
