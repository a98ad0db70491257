"""Delivers the pending runs of one endpoint, from the shards that this process has leased."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.feed import RECHECK_INTERVAL_S, Feed, Signal, outbox_topic
from bot.core.outbox import Outbox
from bot.surfaces.webhooks.dispatcher import WebhookDispatcher

log = structlog.get_logger(__name__)

SHARD_LEASE_S = 30.0
"""Longer than one attempt, so that no other process takes the shard during it."""
RELEASE_TIMEOUT_S = 2.0
"""How long releasing the shards may delay the shutdown."""
ERROR_DELAY_S = 60.0
"""The delay before a run is retried that can't be read, or whose delivery raised an unexpected error."""
MAX_CONCURRENT_REQUESTS = 8
"""Concurrent requests to one endpoint."""


class EndpointWorker:
    """The delivery loop of one endpoint."""

    def __init__(
        self,
        outbox: Outbox,
        feed: Feed,
        dispatcher: WebhookDispatcher,
        *,
        at_once: int = MAX_CONCURRENT_REQUESTS,
        every: float = RECHECK_INTERVAL_S,
    ) -> None:
        self._outbox = outbox
        self._feed = feed
        self._dispatcher = dispatcher
        self._surface = dispatcher.destination.surface
        self._slots = asyncio.Semaphore(at_once)
        self._every = every
        self._busy: set[str] = set()

    async def run(self) -> None:
        """Deliver until cancelled; then release the shards."""
        async with asyncio.TaskGroup() as group:
            for shard in range(self._outbox.shards):
                group.create_task(self._attend(shard, group))

    async def _attend(self, shard: int, group: asyncio.TaskGroup) -> None:
        with self._feed.watch(outbox_topic(self._surface, shard)) as signal:
            try:
                while True:
                    signal.clear()
                    try:
                        await self._look(shard, signal, group)
                    except StoreUnavailable as error:
                        log.debug("The store is away: webhooks are sent later", reason=str(error))
                    await signal.wait(self._every)
            finally:
                # If this fails, the leases expire by themselves.
                with suppress(StoreUnavailable, TimeoutError):
                    async with asyncio.timeout(RELEASE_TIMEOUT_S):
                        await self._outbox.release_shard(self._surface, shard, self._dispatcher.owner)

    async def _look(self, shard: int, signal: Signal, group: asyncio.TaskGroup) -> None:
        if not await self._outbox.lease_shard(self._surface, shard, self._dispatcher.owner, SHARD_LEASE_S):
            return
        pending = set(await self._outbox.pending(self._surface, shard)) - self._busy
        if pending and not await self._dispatcher.destination.blocked():
            for run_id in pending:
                self._busy.add(run_id)
                group.create_task(self._bring(run_id, signal))

    async def _bring(self, run_id: str, signal: Signal) -> None:
        try:
            async with self._slots:
                await self._dispatcher.bring(run_id)
        except NotFound:
            log.debug("A run was deleted before its webhooks were sent", run_id=run_id)
        except StoreUnavailable as error:
            log.debug("The store is away: webhooks are sent later", run_id=run_id, reason=str(error))
        except Exception as error:  # noqa: BLE001 - an error of one run must not affect the others
            await self._set_aside(run_id, error)
        else:
            # New events may have arrived since the run was read.
            signal.set(())
        finally:
            self._busy.discard(run_id)

    async def _set_aside(self, run_id: str, error: Exception) -> None:
        """Postpone a run that can't be read, or whose delivery raised an unexpected error."""
        if isinstance(error, UnreadableRecord):
            log.debug("A run can't be read; its webhooks are postponed", run_id=run_id, reason=str(error))
        else:
            log.error("Webhooks of a run failed; trying again", run_id=run_id, exc_info=error)
        with suppress(StoreUnavailable):
            await self._outbox.postpone(self._surface, run_id, ERROR_DELAY_S)
