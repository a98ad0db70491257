"""Whom the server trusts while there are no API keys, and how many wrong keys may be tried."""

from __future__ import annotations

import hmac
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from bot.core.people.api_keys import digest
from bot.core.token_bucket import TokenBucket

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LocalTrust:
    """While nothing but this machine can reach the server, whoever calls from it; else its user's token."""

    #: The settings by which requests from elsewhere can come in.
    exposed_by: tuple[str, ...] = ()
    #: "": nobody holds one.
    token: str = field(default="", repr=False)

    @property
    def local_only(self) -> bool:
        """Whether clients at this machine need nothing."""
        return not self.exposed_by

    @property
    def trusts_nobody(self) -> bool:
        """Whether nobody at all can be known without keys."""
        return not self.local_only and not self.token

    def is_local_user(self, secret: str) -> bool:
        """Whether this is the local user's token."""
        return bool(self.token) and hmac.compare_digest(digest(secret), digest(self.token))

    @property
    def keys_required(self) -> str:
        """What is said to who is not trusted."""
        needed = (
            f"Requests from elsewhere can reach this server ({', '.join(self.exposed_by)}), so the API needs "
            "keys: make one with `crewdeck keys add NAME`, or set CREWDECK_API_KEYS."
        )
        if not self.token:
            return needed
        return (
            f"{needed} At the server's machine its own user needs none: `crewdeck` and the link that "
            "`crewdeck serve` prints carry a token."
        )


def scheme_of(request: web.Request) -> str:
    """How the client came: `https` also where a proxy speaks it for us, and says so."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return "https" if forwarded == "https" else request.scheme


def is_own_origin(request: web.Request, public_url: str) -> bool:
    """Whether the request's `Origin` is this server, by scheme, host and port.

    `public_url` is where browsers reach it, "" if nobody said so.
    """
    origin = request.headers.get("Origin", "").lower()
    if public_url and origin == public_url.rstrip("/").lower():
        return True
    host = request.headers.get("Host", "").lower()
    return bool(host) and origin == f"{scheme_of(request)}://{host}"


WARNING_INTERVAL_S = 60.0
"""Seconds between two lines in the log."""
MAX_ADDRESSES = 10_000
"""Addresses that are remembered; the one that was silent for longest is forgotten first."""


@dataclass(frozen=True)
class AttemptRate:
    """How often something may be tried: `burst` times at once, and `per_second` in the long run."""

    burst: int
    per_second: float

    def bucket(self) -> TokenBucket:
        return TokenBucket(self.per_second, self.burst)


RATE_PER_ADDRESS = AttemptRate(10, 0.2)
OVERALL_RATE = AttemptRate(300, 20)


class FailedKeyAttempts:
    """Counts wrong keys. A right one is never counted, nor refused because of others' wrong ones.

    Keys are too long to be guessed; this keeps guessing from taking the server's time and filling its log.
    """

    def __init__(
        self,
        per_address: AttemptRate = RATE_PER_ADDRESS,
        overall: AttemptRate = OVERALL_RATE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_address = per_address
        self._overall = overall.bucket()
        self._clock = clock
        self._warned_at = -math.inf
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def count(self, address: str | None) -> int:
        """Count one wrong key; 0, or in how many seconds the client may try again."""
        bucket = self._bucket(_network(address or ""))
        now = self._clock()
        seconds = math.ceil(max(bucket.take(now), self._overall.take(now)))
        if seconds and now - self._warned_at >= WARNING_INTERVAL_S:
            self._warned_at = now
            log.warning("Many wrong keys are tried", address=address)
        return seconds

    def _bucket(self, network: str) -> TokenBucket:
        bucket = self._buckets.pop(network, None) or self._per_address.bucket()
        self._buckets[network] = bucket
        if len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket


def _network(address: str) -> str:
    """The network from which one client can choose addresses: with IPv6, its /64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
