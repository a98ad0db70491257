"""Slack's rate limits: a token bucket for each method, and for each channel where Slack counts so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.chat.platform import Priority
from bot.surfaces.slack.webapi.token_bucket import Rate, TokenBucket

POSTS = Rate(per_second=1.0, burst=4)
"""Slack: about one message a second and channel, with short bursts."""
HOME_TABS = Rate(per_second=1.4, burst=15, reserved=5)
BURST_SHARE = 0.16
"""The part of a minute's edits that may be made at once."""
BY_CHANNEL = frozenset({"chat.postMessage"})
MAX_BUCKETS = 1000
MIN_EDIT_INTERVAL_S = 0.1


def edit_interval_s(per_minute: int) -> float:
    """Seconds from one edit of a run's progress to the next: 1.5 with what Slack grants everybody."""
    return max(MIN_EDIT_INTERVAL_S, 75 / per_minute)


def edits(per_minute: int) -> Rate:
    """The rate of edits in a workspace: a full burst and a minute's refill together are `per_minute`."""
    burst = max(1, round(per_minute * BURST_SHARE))
    return Rate(per_second=(per_minute - burst) / 60, burst=burst, reserved=burst // 2)


def rates(edits_per_minute: int) -> Mapping[str, Rate]:
    """What Slack grants, by method."""
    return {"chat.postMessage": POSTS, "chat.update": edits(edits_per_minute), "views.publish": HOME_TABS}


class RateLimiter:
    """Delays calls to what Slack grants."""

    def __init__(
        self,
        rates: Mapping[str, Rate],
        clock: Callable[[], float] = time.monotonic,
        ack_priority: AckPriority | None = None,
    ) -> None:
        #: Acknowledgements come before what is shown.
        self.ack_priority = ack_priority or AckPriority()
        self._rates = rates
        self._clock = clock
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        #: This process's part of what Slack grants a workspace.
        self.share = 1.0

    async def enter(self, method: str, channel: str, priority: Priority) -> None:
        """Return when a call may be made, and count it."""
        bucket = self._bucket(method, channel)
        if bucket is None:
            return
        ticket = bucket.join(priority, channel)
        try:
            seconds = bucket.wait(ticket, self._clock())
            while seconds > 0:
                await asyncio.sleep(seconds)
                seconds = bucket.wait(ticket, self._clock())
        finally:
            bucket.leave(ticket)
        await self.ack_priority.yield_to_acks()

    async def room(self, method: str, priority: Priority) -> None:
        """Return when there is room for a call of this priority. Nothing is counted."""
        bucket = self._bucket(method, "")
        if bucket is None:
            return
        seconds = bucket.room(priority, self._clock())
        while seconds > 0:
            await asyncio.sleep(seconds)
            seconds = bucket.room(priority, self._clock())

    def seconds(self, method: str, channel: str, priority: Priority) -> float:
        """Until such a call could be made, by what is known of its bucket. Nothing is counted."""
        bucket = self._buckets.get((method, channel if method in BY_CHANNEL else ""))
        return bucket.room(priority, self._clock()) if bucket else 0.0

    def hold(self, method: str, channel: str, seconds: float) -> None:
        """Slack asked to wait for so long."""
        bucket = self._bucket(method, channel)
        if bucket is not None:
            bucket.hold(seconds, self._clock())

    def _bucket(self, method: str, channel: str) -> TokenBucket | None:
        rate = self._rates.get(method)
        if rate is None:
            return None
        key = (method, channel if method in BY_CHANNEL else "")
        if key not in self._buckets:
            self._forget_idle()
            self._buckets[key] = TokenBucket(rate)
        if method not in BY_CHANNEL:
            self._buckets[key].share = self.share
        return self._buckets[key]

    def _forget_idle(self) -> None:
        if len(self._buckets) < MAX_BUCKETS:
            return
        now = self._clock()
        for bucket in self._buckets.values():
            bucket.refresh(now)
        self._buckets = {key: each for key, each in self._buckets.items() if not each.idle}
