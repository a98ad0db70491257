"""Wrong keys: how many may be tried, from one address and from all together."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)

WARNING_INTERVAL_S = 60.0
"""Seconds between two lines in the log."""
MAX_ADDRESSES = 10_000
"""Addresses that are remembered; the one that was silent for longest is forgotten first."""


@dataclass(frozen=True)
class TriesBudget:
    """Tries: so many at once, and so many a second after that."""

    at_once: int
    a_second: float


PER_ADDRESS = TriesBudget(10, 0.2)
OVERALL = TriesBudget(300, 20)


class WrongKeys:
    """Counts wrong keys. A right one is never counted, nor refused because of others' wrong ones.

    Keys are too long to be guessed; this keeps guessing from taking the server's time and filling its log.
    """

    def __init__(
        self,
        per_address: TriesBudget = PER_ADDRESS,
        overall: TriesBudget = OVERALL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_address = per_address
        self._overall = _Bucket(overall, clock)
        self._clock = clock
        self._warned_at = -math.inf
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def count(self, address: str | None) -> int:
        """Count one wrong key; 0, or in how many seconds the client may try again."""
        bucket = self._bucket(_network(address or ""))
        seconds = max(bucket.take(), self._overall.take())
        if seconds and self._clock() - self._warned_at >= WARNING_INTERVAL_S:
            self._warned_at = self._clock()
            log.warning("Many wrong keys are tried", address=address)
        return seconds

    def _bucket(self, network: str) -> _Bucket:
        bucket = self._buckets.pop(network, None) or _Bucket(self._per_address, self._clock)
        self._buckets[network] = bucket
        if len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket


class _Bucket:
    def __init__(self, budget: TriesBudget, clock: Callable[[], float]) -> None:
        self._budget = budget
        self._clock = clock
        self._tokens = float(budget.at_once)
        self._at = clock()

    def take(self) -> int:
        now = self._clock()
        filled = self._tokens + (now - self._at) * self._budget.a_second
        self._tokens, self._at = min(float(self._budget.at_once), filled), now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return max(1, math.ceil((1 - self._tokens) / self._budget.a_second))


def _network(address: str) -> str:
    """What one client can choose its addresses from: of IPv6 everybody has a /64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
