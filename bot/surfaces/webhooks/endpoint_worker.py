"""Delivers the pending runs of one endpoint, from the shards that this process has leased."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.feed import RECHECK_INTERVAL_S, Feed, Signal, outbox_topic
from bot.core.ports import Outbox
from bot.surfaces.webhooks.dispatcher import WebhookDispatcher

log = structlog.get_logger(__name__)

SHARD_LEASE_S = 30.0
"""Seconds. Longer than one try takes, so that nobody else takes the shard meanwhile."""
RELEASE_TIMEOUT_S = 2.0
"""Seconds that giving it back may hold up the end."""
ERROR_DELAY_S = 60.0
"""Seconds after which a run is tried again that could not be read, or broke our own code."""
MAX_CONCURRENT_REQUESTS = 8
"""Requests to one endpoint, at the same time."""


class EndpointWorker:
    """Delivers for one endpoint."""

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
        """Deliver for ever; the shards are given back when this is cancelled."""
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
                        log.debug("Webhooks wait for the store", reason=str(error))
                    await signal.wait(self._every)
            finally:
                # Who doesn't get it back now, gets it when the lease has run out.
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
            log.debug("A run was forgotten before its webhooks were sent", run_id=run_id)
        except StoreUnavailable as error:
            log.debug("Webhooks wait for the store", run_id=run_id, reason=str(error))
        except Exception as error:  # noqa: BLE001 - what is wrong with one run doesn't concern the others
            await self._set_aside(run_id, error)
        else:
            # Something may have happened since it was read.
            signal.set(())
        finally:
            self._busy.discard(run_id)

    async def _set_aside(self, run_id: str, error: Exception) -> None:
        """A run that can't be read, or that breaks our own code, waits, so that others have their turn."""
        if isinstance(error, UnreadableRecord):
            log.debug("Webhooks wait until a run can be read", run_id=run_id, reason=str(error))
        else:
            log.error("Webhooks of a run failed; trying again", run_id=run_id, exc_info=error)
        with suppress(StoreUnavailable):
            await self._outbox.postpone(self._surface, run_id, ERROR_DELAY_S)
