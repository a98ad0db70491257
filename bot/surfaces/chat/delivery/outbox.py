"""Showing runs in Slack from the store: what could not be posted is tried until it is, in order for each run.

Each shard of the store's outbox is leased to one process; each process takes its share of them. What was
shown is recorded message by message, so that after a crash it goes on from there: something may be posted
twice then, never not at all.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable

import structlog

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.feed import Feed, Signal, outbox_topic
from bot.core.ports import Store
from bot.surfaces.chat.delivery.publisher import Show
from bot.surfaces.chat.delivery.thread import Ledger, Superseded
from bot.surfaces.chat.delivery.turns import Turns
from bot.surfaces.slack.home import Home
from bot.surfaces.slack.place import SURFACE, SlackPlace
from bot.surfaces.slack.webapi.api import SlackApi
from bot.surfaces.slack.webapi.failures import SHUT_OUT, Later, Rejected

log = structlog.get_logger(__name__)

LEASE = 8.0
RENEW = 2.0
LOOK = 1.0
"""Seconds between two looks when nothing wakes: nothing does when a run's waiting time is over."""
GATHER = 0.03
"""Seconds that news gather before the next look, so that a burst of them is one look."""
AT_ONCE = 100
"""Runs that are shown at the same time."""
OF_A_CHANNEL = 8
"""Of these, runs of one channel, where Slack takes about one message a second."""
HELD = 3.0
"""Seconds of waiting for Slack from which on no further run of a channel is begun."""
PAGE = 100
MOST = 1600
"""Waiting runs of a shard that are looked at: more than `PAGE` only where the first ones can't be begun."""
DRAIN = 2.0
"""Seconds that what is being posted gets at the end, so that it is recorded."""
SHUT_FOR = 30.0
LONGEST = 60.0


class Delivery:
    """The delivery loop of one process."""

    def __init__(
        self,
        store: Store,
        feed: Feed,
        api: SlackApi,
        home: Home,
        owner: str,
        peers: Callable[[], int] = lambda: 1,
    ) -> None:
        """`peers`: how many processes deliver, this one included."""
        self._peers = peers
        self._store = store
        self._feed = feed
        self._api = api
        self._home = home
        self._owner = owner
        self._show = Show(store, api, Ledger(store.outbox, owner), home)
        self._shards: set[int] = set()
        #: More than our share: given back as soon as nothing is under way there.
        self._leaving: set[int] = set()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._turns = Turns(AT_ONCE, OF_A_CHANNEL)
        #: The channel of each run that waits.
        self._channels: dict[str, str] = {}
        #: How many waiting runs of each shard are looked at.
        self._reach: dict[int, int] = {}
        #: The shard of each run that is shown right now.
        self._busy_in: dict[str, int] = {}
        self._failures: dict[str, int] = {}
        self._shut_out: set[str] = set()
        self._signal = Signal()
        self._gained = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled; then let go of the shards, so that others go on at once."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_leases())
                group.create_task(self._look())
                group.create_task(self._recover())
                group.create_task(self._show.board.run())
                group.create_task(self._home.run())
        finally:
            await self._stop()

    async def _stop(self) -> None:
        busy = list(self._busy.values())
        if busy:
            await asyncio.wait(busy, timeout=DRAIN)
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        try:
            for shard in self._shards | self._leaving:
                await self._store.outbox.release_shard(SURFACE, shard, self._owner)
        except StoreUnavailable:
            log.info("the store is away: the leases end by themselves")

    # ── which runs ──────────────────────────────────────────────────────────────────────────────────────

    async def _keep_leases(self) -> None:
        while True:
            before = set(self._shards)
            await self._take_share(self._peers())
            if self._shards - before:
                self._signal.set(())
                self._gained.set()
            await asyncio.sleep(RENEW)

    async def _take_share(self, peers: int) -> None:
        """Keep or take as many shards as there are for each process, and let go of more."""
        self._api.share_with(peers)
        share = math.ceil(self._store.outbox.shards / peers)
        for shard in range(self._store.outbox.shards):
            if shard in self._shards or (shard not in self._leaving and len(self._shards) < share):
                await self._lease(shard)
        surplus = sorted(self._shards)[share:]
        self._shards.difference_update(surplus)
        self._leaving.update(surplus)
        for shard in sorted(self._leaving):
            await self._leave(shard)

    async def _lease(self, shard: int) -> None:
        try:
            mine = await self._store.outbox.lease_shard(SURFACE, shard, self._owner, LEASE)
        except StoreUnavailable:
            mine = False
        (self._shards.add if mine else self._shards.discard)(shard)

    async def _leave(self, shard: int) -> None:
        """Let another process have it; what is under way there is finished before."""
        try:
            if shard in self._busy_in.values():
                await self._store.outbox.lease_shard(SURFACE, shard, self._owner, LEASE)
            else:
                await self._store.outbox.release_shard(SURFACE, shard, self._owner)
                self._leaving.discard(shard)
        except StoreUnavailable:
            self._leaving.discard(shard)

    async def _recover(self) -> None:
        """Go on with what the one who had a shard before us left unfinished."""
        while True:
            await self._gained.wait()
            self._gained.clear()
            try:
                await self._show.recover()
            except StoreUnavailable:
                await asyncio.sleep(LOOK)
                self._gained.set()
            except Exception:
                # Their next event draws them again; what is delivered meanwhile matters more.
                log.exception("progress messages could not be recovered")

    async def _look(self) -> None:
        topics = [outbox_topic(SURFACE, shard) for shard in range(self._store.outbox.shards)]
        for topic in topics:
            self._feed.add(self._signal, topic)
        try:
            while True:
                self._signal.clear()
                await self._begin_pending()
                await self._signal.wait(LOOK)
                await asyncio.sleep(GATHER)
        finally:
            for topic in topics:
                self._feed.drop(self._signal, topic)

    async def _begin_pending(self) -> None:
        if self._turns.full:
            return
        try:
            waiting = await self._waiting()
        except StoreUnavailable:
            log.info("the store is away: nothing can be delivered")
            return
        self._channels = {run_id: channel for run_id, (_, channel) in waiting.items()}
        open_ = {run_id: channel for run_id, channel in self._channels.items() if not self._held(channel)}
        for run_id in self._turns.next(open_):
            self._begin(run_id, waiting[run_id][0])

    async def _waiting(self) -> dict[str, tuple[int, str]]:
        """Runs that wait, the oldest first: each with its shard and its channel."""
        found: dict[str, tuple[int, str]] = {}
        for shard in sorted(self._shards):
            limit = self._reach.get(shard, PAGE)
            pending = await self._store.outbox.pending(SURFACE, shard, limit)
            waiting = [run_id for run_id in pending if run_id not in self._busy]
            found |= {run_id: (shard, await self._channel(run_id)) for run_id in waiting}
            # Behind as many as can be looked at there may be runs of channels that could have a turn.
            self._reach[shard] = min(MOST, 2 * limit) if len(pending) == limit else PAGE
        return {run_id: each for run_id, each in found.items() if each[0] in self._shards}

    async def _channel(self, run_id: str) -> str:
        if run_id in self._channels:
            return self._channels[run_id]
        try:
            place = (await self._store.runs.get(run_id)).place
            return SlackPlace.decode(place).channel if place is not None else ""
        except (NotFound, UnreadableRecord, ValueError):
            return ""  # What can't be read fails when its turn comes, and is set aside.

    def _held(self, channel: str) -> bool:
        return self._api.seconds_until_post(channel) > HELD

    def _begin(self, run_id: str, shard: int) -> None:
        task = asyncio.create_task(self._deliver(run_id), name=f"delivery of {run_id}")
        self._busy[run_id] = task
        self._busy_in[run_id] = shard
        task.add_done_callback(lambda _: self._ended(run_id))

    def _ended(self, run_id: str) -> None:
        """Look again: more may have happened meanwhile."""
        self._turns.ended(run_id)
        del self._busy[run_id], self._busy_in[run_id]
        self._signal.set(())

    # ── one run ─────────────────────────────────────────────────────────────────────────────────────────

    async def _deliver(self, run_id: str) -> None:
        """Show one run, or see that it is tried again. What goes wrong with it doesn't concern the others."""
        try:
            await self._attempt(run_id)
        except StoreUnavailable:
            await asyncio.sleep(LOOK)
        except Exception as error:  # noqa: BLE001 - it waits, so that the others have their turn
            await self._set_aside(run_id, error)

    async def _set_aside(self, run_id: str, error: Exception) -> None:
        if isinstance(error, UnreadableRecord):
            log.debug("a run waits until it can be read", run_id=run_id, reason=str(error))
        else:
            log.error("a run could not be shown; trying again", run_id=run_id, exc_info=error)
        try:
            await self._store.outbox.postpone(SURFACE, run_id, LONGEST)
        except StoreUnavailable:
            await asyncio.sleep(LOOK)

    async def _attempt(self, run_id: str) -> None:
        try:
            await self._api.yield_to_acks()
            await self._show.catch_up(run_id)
        except Superseded:
            log.info("another process delivers this run now", run_id=run_id)
            self._shards.clear()  # Until the next renewal says which are ours.
        except NotFound:
            log.debug("a run is forgotten", run_id=run_id)
        except Later as later:
            log.info("a run's news have to wait", run_id=run_id, seconds=later.seconds, why=later.why)
            await self._later(run_id, later.seconds)
        except Rejected as rejected:
            await self._shut(run_id, rejected.code)
        else:
            self._failures.pop(run_id, None)
            await self._open_again(run_id)

    async def _later(self, run_id: str, seconds: float) -> None:
        """As long as Slack says, at least; longer each time, and not all runs at the same moment."""
        failures = self._failures[run_id] = self._failures.get(run_id, 0) + 1
        backoff = min(LONGEST, 0.5 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        await self._store.outbox.postpone(SURFACE, run_id, max(seconds, backoff))

    # ── the workspace ───────────────────────────────────────────────────────────────────────────────────

    async def _shut(self, run_id: str, code: str) -> None:
        """The workspace doesn't let us in: its runs are paused, and tried again now and then."""
        await self._store.outbox.postpone(SURFACE, run_id, SHUT_FOR)
        if code not in SHUT_OUT:
            log.error("Slack refused a run's news", run_id=run_id, code=code)
            return
        team = await self._team(run_id)
        if team is None or team in self._shut_out:
            return
        self._shut_out.add(team)
        log.error("Slack refuses the app's token: the workspace's runs are paused", team=team, code=code)
        if await self._store.runs.pause_reason(team) is None:
            await self._store.runs.pause_tenant(team, f"Slack refuses the app's token ({code})")

    async def _open_again(self, run_id: str) -> None:
        if not self._shut_out or (team := await self._team(run_id)) not in self._shut_out:
            return
        self._shut_out.discard(team)
        log.info("Slack lets the app in again: the workspace's runs go on", team=team)
        await self._store.runs.pause_tenant(team, None)

    async def _team(self, run_id: str) -> str | None:
        try:
            run = await self._store.runs.get(run_id)
        except (NotFound, UnreadableRecord):
            return None
        return run.place.tenant if run.place else None
