"""The clock of the store: deadlines, reminders, expired leases, and runs to delete."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Never

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.events.event import RunFailed
from bot.core.ports.store import Clock
from bot.core.runs.run import RunError
from bot.store import redis_keys
from bot.store.codec import dump, ms, newer_run
from bot.store.connection import Connection
from bot.store.health import Outage
from bot.store.queue import SUSPECTED_DELAY_S
from bot.store.runs import TOMBSTONE_TTL_S
from bot.store.timers import Timers

log = structlog.get_logger(__name__)

MAX_INTERVAL_S = 1.0
"""Seconds between two looks at what is due. Whatever is set for longer than that (every lease, every
deadline) is seen before it is due, and happens on time. Any number of processes may keep the clock: a look
costs little."""
MIN_INTERVAL_S = 0.05
"""Seconds between two looks where much is due at about the same time."""
UNAVAILABLE_INTERVAL_S = 0.5
"""Seconds between two looks at whether the store is back."""

QUARANTINED = RunError(
    code="quarantined",
    message="Three workers died while they ran this, at the same point. To keep others safe from it, it is "
    "not tried again by itself. The workers' logs may say why.",
)
"""What becomes of a run that its workers die of."""

MAX_RUNS_AT_ONCE = 100
"""Expired leases and old runs that are handled at once in each shard."""


@dataclass(frozen=True)
class ClockSettings:
    """Seconds after which the clock acts on a run."""

    #: A finished run is deleted.
    retention: float = 30 * 24 * 3600
    #: The journal of a finished run is deleted.
    journal: float = 7 * 24 * 3600
    #: A run that crashed two workers is queued again.
    retry_after: float = SUSPECTED_DELAY_S


class RedisClock:
    """The port `bot.core.ports.store.Clock`."""

    def __init__(self, connection: Connection, settings: ClockSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._timers = Timers(connection)

    async def apply_due(self, crash_error: RunError) -> int:
        body = dump(RunFailed(error=crash_error))
        delays = (
            ms(self._settings.retention),
            ms(self._settings.journal),
            ms(self._settings.retry_after),
            ms(TOMBSTONE_TTL_S),
        )
        changed = await self._timers.fire()
        failure: StoreUnavailable | None = None
        for shard in range(redis_keys.SHARDS):
            try:
                ticked = await self._connection.run(
                    "apply_due", shard, dump(crash_error), body, delays[0], MAX_RUNS_AT_ONCE, *delays[1:]
                )
            except StoreUnavailable as error:  # what is wrong with one shard doesn't stop the others
                failure = error
                continue
            changed += int(ticked[0])
            for run_id in ticked[1]:
                self._connection.unreadable.report(newer_run(run_id))
        if failure is not None:
            raise failure
        return changed

    async def due(self, within: float) -> float:
        delays = ms(self._settings.retention), ms(self._settings.journal)
        soonest: list[int] = await self._connection.each_shard("due", delays[0], ms(within), delays[1])
        return min(*soonest, await self._timers.due(ms(within))) / 1000

    async def now(self) -> int:
        return await self._connection.now()


async def run_clock(clock: Clock, outage: Outage | None = None) -> Never:
    """Tick whenever something is due, for ever. While the store is away, wait: it is made up for later.

    `outage` logs that, in processes in which nothing else does.

    Each look is noted in the store. By that it knows when nobody has looked for a while, since the store or
    all of us stood still; then it gives leases their time anew (`look` in scripts/prelude.lua).
    """
    while True:
        try:
            wait = await clock.due(MAX_INTERVAL_S)
            if wait <= 0:
                await clock.apply_due(QUARANTINED)
        except StoreUnavailable as error:
            log.debug("The store is away: the clock is checked later", reason=str(error))
            if outage is not None:
                outage.began(error)
            wait = UNAVAILABLE_INTERVAL_S
        else:
            if outage is not None:
                outage.ended()
        await asyncio.sleep(max(wait, MIN_INTERVAL_S))
