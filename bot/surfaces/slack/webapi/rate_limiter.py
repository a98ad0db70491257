"""Waiting for room in Slack's budgets: for each method, by channel where Slack counts so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.slack.webapi.token_bucket import Budget, Priority, Rate

POSTS = Rate(per_second=1.0, burst=4)
"""Slack: about one message a second and channel, with short bursts."""
HOME = Rate(per_second=1.4, burst=15, reserved=5)
BURST = 0.16
"""The part of a minute's edits that may be made at once."""
BY_CHANNEL = frozenset({"chat.postMessage"})
MOST_BUDGETS = 1000
SHORTEST = 0.1


def between_edits(per_minute: int) -> float:
    """Seconds from one edit of a run's progress to the next: 1.5 with what Slack grants everybody."""
    return max(SHORTEST, 75 / per_minute)


def edits(per_minute: int) -> Rate:
    """The rate of edits in a workspace: a full burst and a minute's refill together are `per_minute`."""
    burst = max(1, round(per_minute * BURST))
    return Rate(per_second=(per_minute - burst) / 60, burst=burst, reserved=burst // 2)


def rates(edits_per_minute: int) -> Mapping[str, Rate]:
    """What Slack grants, by method."""
    return {"chat.postMessage": POSTS, "chat.update": edits(edits_per_minute), "views.publish": HOME}


class Gate:
    """Lets calls pass as Slack's budgets allow."""

    def __init__(
        self,
        rates: Mapping[str, Rate],
        clock: Callable[[], float] = time.monotonic,
        ack_priority: AckPriority | None = None,
    ) -> None:
        #: What is shown gives way to who waits for an acknowledgement.
        self.ack_priority = ack_priority or AckPriority()
        self._rates = rates
        self._clock = clock
        self._budgets: dict[tuple[str, str], Budget] = {}
        #: The part of what Slack grants a workspace that is this process's.
        self.share = 1.0

    async def enter(self, method: str, channel: str, priority: Priority) -> None:
        """Return when a call may be made; it is counted."""
        budget = self._budget(method, channel)
        if budget is None:
            return
        ticket = budget.join(priority, channel)
        try:
            seconds = budget.wait(ticket, self._clock())
            while seconds > 0:
                await asyncio.sleep(seconds)
                seconds = budget.wait(ticket, self._clock())
        finally:
            budget.leave(ticket)
        await self.ack_priority.yield_to_acks()

    async def room(self, method: str, priority: Priority) -> None:
        """Return when there is room for a call of this priority. Nothing is counted."""
        budget = self._budget(method, "")
        if budget is None:
            return
        seconds = budget.room(priority, self._clock())
        while seconds > 0:
            await asyncio.sleep(seconds)
            seconds = budget.room(priority, self._clock())

    def seconds(self, method: str, channel: str, priority: Priority) -> float:
        """Until such a call could be made, by what is known of its budget. Nothing is counted."""
        budget = self._budgets.get((method, channel if method in BY_CHANNEL else ""))
        return budget.room(priority, self._clock()) if budget else 0.0

    def hold(self, method: str, channel: str, seconds: float) -> None:
        """Slack said to wait for so long."""
        budget = self._budget(method, channel)
        if budget is not None:
            budget.hold(seconds, self._clock())

    def _budget(self, method: str, channel: str) -> Budget | None:
        rate = self._rates.get(method)
        if rate is None:
            return None
        key = (method, channel if method in BY_CHANNEL else "")
        if key not in self._budgets:
            self._forget_idle()
            self._budgets[key] = Budget(rate)
        if method not in BY_CHANNEL:
            self._budgets[key].share = self.share
        return self._budgets[key]

    def _forget_idle(self) -> None:
        if len(self._budgets) < MOST_BUDGETS:
            return
        now = self._clock()
        for budget in self._budgets.values():
            budget.refresh(now)
        self._budgets = {key: each for key, each in self._budgets.items() if not each.idle}
