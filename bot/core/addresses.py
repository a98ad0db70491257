"""Network addresses: public, loopback or unspecified; and addresses of web servers."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

_NAT64 = IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # for protocols; Oracle's cloud metadata is in it
            "168.63.129.16/32",  # Azure's services of a virtual machine
            "3fff::/20",  # for documentation
            "fec0::/10",  # local to a site, formerly
        ),
    )
)
"""What some of the supported releases of Python take for global, or all of them."""


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
    if any(found in network for network in _NOT_PUBLIC):
        return False
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
        address = ip_address(name)
        # So a client that comes over IPv4 is named where one socket takes both (`HOST=::`).
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def is_every_address(host: str) -> bool:
    """Whether this is the unspecified address, on which a server listens on all interfaces."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[^\W_](?:\w|[.-])*")


def check_web_address(url: str) -> str:
    """An address of a web server, as it was given. Raises ValueError, which says what is wrong with it."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.netloc.rpartition("@")[2]
    except ValueError as error:
        raise ValueError(f"it is no web address: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\s\x00-\x1f]", url):
        raise ValueError("it is a web address, such as https://crews.example")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it is a web address without a user name or password in it")
    if not _HOST.fullmatch(host if port is None else host.rpartition(":")[0]):
        raise ValueError(f"its host can't be {host!r}")
    return url


def check_origin(url: str) -> str:
    """The address of a web server without a path, or none at all. Raises ValueError."""
    if not url:
        return url
    parts = urlsplit(check_web_address(url))
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("it is a scheme and a host, without a path: https://crews.example")
    return url


def check_origins(text: str) -> str:
    """Several of them, separated by commas. Raises ValueError."""
    for each in text.split(","):
        check_origin(each.strip())
    return text
