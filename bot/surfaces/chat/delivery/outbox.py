"""Delivering runs from the store's outbox: what can't be posted is retried, in order for each run.

Each shard of the outbox is leased to one process; each process takes its share of them. What was shown is
recorded message by message, so that another process goes on from there after a crash: something may be posted
twice then, never not at all.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.ports.outbox import DeliveryState
from bot.core.ports.store import Runs, Store
from bot.core.runs.run import Run
from bot.core.wakeups import Signal, Wakeups, outbox_topic
from bot.metrics import Metrics
from bot.surfaces.chat.delivery.publisher import ThreadPublisher
from bot.surfaces.chat.delivery.scheduler import FairScheduler
from bot.surfaces.chat.delivery.shard_leases import ShardLeases
from bot.surfaces.chat.delivery.thread import DeliveryRecorder, ShardLeaseLost
from bot.surfaces.chat.failures import CredentialsRefused, Deferred, Rejected, RetryLater
from bot.surfaces.chat.flow_control import WorkLimit
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.chat.platform import Capabilities, ChatPlatform
from bot.surfaces.chat.recipients import Recipients

log = structlog.get_logger(__name__)

LEASE_RENEWAL_S = 2.0
POLL_INTERVAL_S = 1.0
"""Seconds between two looks when nothing wakes: nothing does when a run's waiting time is over."""
DEBOUNCE_S = 0.03
"""Seconds that wake-ups gather before the next look, so that a burst of them is one look."""
MAX_CONCURRENT_RUNS = 100
"""Runs whose delivery has begun: most of them wait until the platform takes another message."""
MAX_WORKING_RUNS = 8
"""Runs that are worked at: more at once would be no faster, and everything else would wait behind them."""
MAX_CONCURRENT_RUNS_PER_CHANNEL = 8
"""A platform takes about one message a second in a channel."""
MAX_CHANNEL_WAIT_S = 3.0
"""A channel whose next message has to wait longer gets no further run."""
PAGE_SIZE = 100
MAX_PAGE_SIZE = 1600
"""Pending runs of a shard that are looked at: more than `PAGE_SIZE` only where the first ones can't begin."""
DRAIN_TIMEOUT_S = 2.0
"""Seconds in which what is being posted at the end may be answered, so that it is recorded."""
REFUSED_RETRY_DELAY_S = 30.0
MIN_BACKOFF_S = 0.5
MAX_BACKOFF_S = 60.0


@dataclass(frozen=True)
class _Failures:
    """How often the delivery of a run has failed since it last made progress."""

    times: int
    shown: DeliveryState


class OutboxWorker:
    """The delivery loop of one process for one platform."""

    def __init__(
        self,
        store: Store,
        wakeups: Wakeups,
        platform: ChatPlatform,
        metrics: Metrics,
        owner: str,
        *,
        recipients: Recipients,
        peers: Callable[[], int] = lambda: 1,
    ) -> None:
        """`recipients`: the platform's people; `peers`: how many processes deliver, this one included."""
        self._peers = peers
        self._store = store
        self._wakeups = wakeups
        self._platform = platform
        self._surface = platform.capabilities.surface
        self._owner = owner
        recorder = DeliveryRecorder(store.outbox, self._surface, owner)
        #: The shard of each run that is being delivered.
        self._busy_in: dict[str, int] = {}
        self._leases = ShardLeases(
            store.outbox, self._surface, owner, lambda shard: shard in self._busy_in.values()
        )
        self._publisher = ThreadPublisher(store, platform, recorder, metrics, recipients, self._leases.check)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._scheduler = FairScheduler(MAX_CONCURRENT_RUNS, MAX_CONCURRENT_RUNS_PER_CHANNEL)
        self._limit = WorkLimit(MAX_WORKING_RUNS)
        #: By shard: the pending runs that were found there when it was looked at, with their channels.
        self._found: dict[int, dict[str, str]] = {}
        self._looked_everywhere_at = 0.0
        #: How many pending runs of each shard are looked at.
        self._page_sizes: dict[int, int] = {}
        self._failures: dict[str, _Failures] = {}
        self._workspaces = _WorkspacePauses(store.runs, platform.capabilities)
        self._signal = Signal()
        self._gained = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled; then release the shards, so that others go on at once."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_leases())
                group.create_task(self._poll())
                group.create_task(self._recover())
                group.create_task(self._publisher.progress.run())
        finally:
            await self._stop()

    async def _stop(self) -> None:
        held = self._leases.end()
        busy = list(self._busy.values())
        if busy:
            await asyncio.wait(busy, timeout=DRAIN_TIMEOUT_S)
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        await self._leases.release(held)

    # ── which runs ──────────────────────────────────────────────────────────────────────────────────────

    async def _keep_leases(self) -> None:
        while True:
            peers = self._peers()
            self._platform.share_rate_limits(peers)
            if gained := await self._leases.take_share(peers):
                self._signal.set(map(self._topic, gained))
                self._gained.set()
            await asyncio.sleep(LEASE_RENEWAL_S)

    async def _recover(self) -> None:
        """Go on with what the former holder of a shard left unfinished."""
        while True:
            await self._gained.wait()
            self._gained.clear()
            try:
                await self._publisher.recover()
            except StoreUnavailable:
                await asyncio.sleep(POLL_INTERVAL_S)
                self._gained.set()
            except Exception:
                # Their next event draws them again; what is delivered meanwhile matters more.
                log.exception("progress messages could not be recovered")

    async def _poll(self) -> None:
        topics = {self._topic(shard): shard for shard in range(self._store.outbox.shards)}
        for topic in topics:
            self._wakeups.add(self._signal, topic)
        try:
            while True:
                woken = {topics[topic] for topic in self._signal.clear() if topic in topics}
                if time.monotonic() - self._looked_everywhere_at >= POLL_INTERVAL_S:
                    woken, self._looked_everywhere_at = set(topics.values()), time.monotonic()
                await self._begin_pending(woken)
                await self._signal.wait(POLL_INTERVAL_S)
                await asyncio.sleep(DEBOUNCE_S)
        finally:
            for topic in topics:
                self._wakeups.drop(self._signal, topic)

    async def _begin_pending(self, woken: Iterable[int]) -> None:
        """Look into these shards, and begin what has its turn, in whichever shard it was found."""
        if self._scheduler.full:
            self._looked_everywhere_at = 0.0  # What is missed now is found once there is room.
            return
        try:
            await asyncio.gather(*map(self._find_pending, sorted(set(woken).intersection(self._leases.held))))
        except StoreUnavailable:
            log.info("the store is away: nothing can be delivered")
            self._looked_everywhere_at = 0.0
            return
        waiting = {
            run_id: (shard, channel)
            for shard in sorted(self._leases.held)
            for run_id, channel in self._found.get(shard, {}).items()
            if run_id not in self._busy
        }
        open_ = {run_id: channel for run_id, (_, channel) in waiting.items() if not self._congested(channel)}
        for run_id in self._scheduler.next(open_):
            self._begin(run_id, waiting[run_id][0])

    async def _find_pending(self, shard: int) -> None:
        """Find the pending runs of a shard, the oldest first."""
        known = self._found.get(shard, {})
        limit = self._page_sizes.get(shard, PAGE_SIZE)
        pending = await self._store.outbox.pending(self._surface, shard, limit)
        channels = known | await self._channels([each for each in pending if each not in known])
        self._found[shard] = {run_id: channels.get(run_id, "") for run_id in pending}
        # Behind a full page there may be runs of channels that could have a turn.
        self._page_sizes[shard] = min(MAX_PAGE_SIZE, 2 * limit) if len(pending) == limit else PAGE_SIZE

    def _topic(self, shard: int) -> str:
        return outbox_topic(self._surface, shard)

    async def _channels(self, run_ids: Sequence[str]) -> dict[str, str]:
        """By run. One that is left out can't be read: it fails when its turn comes, and is deferred."""
        return {run.id: self._channel(run) for run in await self._store.runs.read(run_ids)}

    def _channel(self, run: Run) -> str:
        try:
            return ChatPlace.decode(run.place, self._surface).channel if run.place is not None else ""
        except ValueError:
            return ""

    def _congested(self, channel: str) -> bool:
        return self._platform.seconds_until_post(channel) > MAX_CHANNEL_WAIT_S

    def _begin(self, run_id: str, shard: int) -> None:
        task = asyncio.create_task(self._deliver(run_id), name=f"delivery of {run_id}")
        self._busy[run_id] = task
        self._busy_in[run_id] = shard
        task.add_done_callback(lambda _: self._ended(run_id))

    def _ended(self, run_id: str) -> None:
        """Look again: more may have happened meanwhile."""
        self._scheduler.ended(run_id)
        shard = self._busy_in.pop(run_id)
        del self._busy[run_id]
        self._found.get(shard, {}).pop(run_id, None)
        self._signal.set((self._topic(shard),))

    # ── one run ─────────────────────────────────────────────────────────────────────────────────────────

    async def _deliver(self, run_id: str) -> None:
        """Show one run, or schedule a retry. Its errors don't stop the others."""
        try:
            async with self._limit.slot():
                await self._attempt(run_id)
        except StoreUnavailable:
            await asyncio.sleep(POLL_INTERVAL_S)
        except Exception as error:  # noqa: BLE001 - it waits, so that the others have their turn
            await self._defer(run_id, error)

    async def _defer(self, run_id: str, error: Exception) -> None:
        if isinstance(error, UnreadableRecord):
            log.debug("a run waits until it can be read", run_id=run_id, reason=str(error))
        else:
            log.error("a run could not be shown; trying again", run_id=run_id, exc_info=error)
        try:
            await self._postpone(run_id, MAX_BACKOFF_S)
        except StoreUnavailable:
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _attempt(self, run_id: str) -> None:
        try:
            await self._platform.yield_to_acks()
            await self._publisher.catch_up(run_id)
        except ShardLeaseLost:
            log.info("another process may deliver this run by now", run_id=run_id)
            self._leases.suspect()
        except NotFound:
            log.debug("a run was deleted: nothing is left to deliver", run_id=run_id)
        except Deferred as deferred:
            log.debug("messages of a run have their turn later", run_id=run_id, seconds=deferred.seconds)
            await self._postpone(run_id, deferred.seconds)
        except RetryLater as later:
            log.info("messages of a run are postponed", run_id=run_id, seconds=later.seconds, why=later.why)
            await self._back_off(run_id, later.seconds)
        except CredentialsRefused as refused:
            await self._postpone(run_id, REFUSED_RETRY_DELAY_S)
            await self._workspaces.pause(run_id, refused.code)
        except Rejected as rejected:
            log.error("the platform refuses a message of a run", run_id=run_id, code=rejected.code)  # noqa: TRY400
            await self._postpone(run_id, REFUSED_RETRY_DELAY_S)
        else:
            self._failures.pop(run_id, None)
            await self._workspaces.resume(run_id)

    async def _back_off(self, run_id: str, seconds: float) -> None:
        """Retry after as long as the platform says, at least.

        Longer each time that no more of the run could be shown, with jitter.
        """
        shown = await self._store.outbox.state(self._surface, run_id)
        before = self._failures.get(run_id)
        failures = before.times + 1 if before is not None and before.shown == shown else 1
        self._failures[run_id] = _Failures(failures, shown)
        backoff = min(MAX_BACKOFF_S, MIN_BACKOFF_S * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        await self._postpone(run_id, max(seconds, backoff))

    async def _postpone(self, run_id: str, seconds: float) -> None:
        if not await self._store.outbox.postpone(self._surface, self._owner, run_id, seconds):
            log.info("another process delivers this run by now", run_id=run_id)


class _WorkspacePauses:
    """Pauses the runs of workspaces that refuse the app's credentials, until these are accepted again."""

    def __init__(self, runs: Runs, platform: Capabilities) -> None:
        self._runs = runs
        self._surface = platform.surface
        self._title = platform.title
        self._refusing: set[str] = set()

    async def pause(self, run_id: str, code: str) -> None:
        """Pause the runs of this run's workspace, which has refused the credentials with this code."""
        team = await self._team(run_id)
        if team is None or team in self._refusing:
            return
        self._refusing.add(team)
        log.error("the app's token is refused: the workspace's runs are paused", team=team, code=code)
        if await self._runs.pause_reason(team) is None:
            await self._runs.pause_tenant(team, f"{self._title} refuses the app's token ({code})")

    async def resume(self, run_id: str) -> None:
        """Let the runs of this run's workspace continue, which has accepted the credentials."""
        if not self._refusing or (team := await self._team(run_id)) not in self._refusing:
            return
        self._refusing.discard(team)
        log.info("the app's token is accepted again: the workspace's runs continue", team=team)
        await self._runs.pause_tenant(team, None)

    async def _team(self, run_id: str) -> str | None:
        """The workspace in which a run lives; None for one of another surface, which goes on there."""
        try:
            run = await self._runs.get(run_id)
        except (NotFound, UnreadableRecord):
            return None
        return run.place.tenant if run.place and run.place.surface == self._surface else None
