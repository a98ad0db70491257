"""The address of Redis, parsed from `CREWDECK_REDIS_URL`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlencode, urlsplit

from redis.asyncio.connection import parse_url

from bot.core.errors import SettingsError

FORMS = (
    "CREWDECK_REDIS_URL: this is no address of a Redis server. It looks like "
    "redis://user:password@host:6379/0, rediss://... (TLS), unix:///path/to/socket, "
    "redis+sentinel://host:26379,host:26379/service or redis+cluster://host:6379,host:6379. In a password "
    "/ is written as %2F and @ as %40."
)
SENTINEL_PORT = 26379
REDIS_PORT = 6379
_OF_SENTINELS = {"sentinel_username": "username", "sentinel_password": "password"}


class Kind(Enum):
    """The topology of an address."""

    SERVER = auto()
    SENTINEL = auto()
    CLUSTER = auto()


Node = tuple[str, int]
"""A host and a port."""


@dataclass(frozen=True)
class Address:
    """A parsed URL."""

    kind: Kind
    #: Of a cluster any of its nodes, else the sentinels.
    nodes: tuple[Node, ...]
    #: What redis-py's connections take; of a single server also where it is.
    options: Mapping[str, Any]
    #: How connections to sentinels differ from those to Redis.
    sentinel_options: Mapping[str, Any]
    #: The name by which sentinels know the servers.
    service: str = ""

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The values that no message may contain."""
        named = ("password", "ssl_password")
        found = (options.get(name) for options in (self.options, self.sentinel_options) for name in named)
        return tuple(secret for secret in found if secret)


def read_address(url: str) -> Address:
    """The address that a URL names. Raises SettingsError, which never quotes the URL."""
    try:
        return _read(urlsplit(url))
    except (ValueError, TypeError):
        # Not with the parser's own words: they can quote a piece of the password.
        raise SettingsError(FORMS) from None


def _read(url: SplitResult) -> Address:
    scheme, _, kind = url.scheme.partition("+")
    match scheme, kind:
        case _, "":
            return _server(url)
        case "redis" | "rediss", "sentinel":
            return _sentinel(url, scheme)
        case "redis" | "rediss", "cluster":
            return _cluster(url, scheme)
        case _:
            raise ValueError(url.scheme)


def _server(url: SplitResult) -> Address:
    """One server. The parser takes database 0 for what it can't read, and a socket without a path."""
    path = url.path.removeprefix("/")
    if not path if url.scheme == "unix" else not re.fullmatch(r"\d*/?", path):
        raise ValueError(url.scheme)
    return Address(Kind.SERVER, (), parse_url(url.geturl()), {})


def _sentinel(url: SplitResult, scheme: str) -> Address:
    service, _, db = url.path.strip("/").partition("/")
    if not service:
        raise SettingsError(
            "CREWDECK_REDIS_URL: a Sentinel address ends in the name of the service: "
            "redis+sentinel://host:26379,host:26379/mymaster"
        )
    query = parse_qs(url.query)
    own = {name: query.pop(key)[0] for key, name in _OF_SENTINELS.items() if key in query}
    options = _options(url, scheme, int(db or 0), urlencode(query, doseq=True))
    return Address(Kind.SENTINEL, _nodes(url, SENTINEL_PORT), options, own, service)


def _cluster(url: SplitResult, scheme: str) -> Address:
    if url.path.strip("/") not in {"", "0"}:
        raise SettingsError(
            "CREWDECK_REDIS_URL: a Redis Cluster has no numbered databases: leave the path out."
        )
    return Address(Kind.CLUSTER, _nodes(url, REDIS_PORT), _options(url, scheme, 0, url.query), {})


def _options(url: SplitResult, scheme: str, db: int, query: str) -> Mapping[str, Any]:
    """The options that redis-py parses from the same URL with one host."""
    user, at, _ = url.netloc.rpartition("@")
    options: dict[str, Any] = dict(parse_url(f"{scheme}://{user}{at}host/{db}?{query}"))
    del options["host"]
    return options


def _nodes(url: SplitResult, port: int) -> tuple[Node, ...]:
    _, _, hosts = url.netloc.rpartition("@")
    parts = [urlsplit(f"//{host.strip()}") for host in hosts.split(",") if host.strip()]
    nodes = tuple((part.hostname, part.port or port) for part in parts if part.hostname)
    if not nodes or len(nodes) < len(parts):
        raise ValueError("a host has no name")
    return nodes
