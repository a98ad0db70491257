"""Replies that people wrote while no web process was up: read once, handled as if they had been delivered.

A process that starts looks whether another one hears already. If none does, there was a gap: the process
records that (a round), before it counts as hearing itself. Any process works on an open round, one at a time
(a lease); where it was is recorded, so that another one goes on from there.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.ports import Store
from bot.core.question import Question
from bot.core.value import Value
from bot.surfaces.chat.inbound.pending_requests import Delivery
from bot.surfaces.chat.inbound.replies import Heard
from bot.surfaces.chat.inbound.reply import Reply
from bot.surfaces.chat.message_keys import MOVED, Posted, is_direct
from bot.surfaces.chat.presence import Presence
from bot.surfaces.slack.inbound.ack_handler import UNSAVED, AckHandler, told
from bot.surfaces.slack.inbound.listeners.messages import Ears, line_to
from bot.surfaces.slack.inbound.payloads import Said
from bot.surfaces.slack.place import SURFACE, SlackPlace
from bot.surfaces.slack.webapi.api import Later, Rejected
from bot.surfaces.slack.webapi.installed import Installed

log = structlog.get_logger(__name__)

AGAIN = 2.0
"""Seconds before the store is asked again, where it was away."""
EVERY = 2.0
"""Seconds between two looks whether there is a round to work on."""
MARGIN = 2.0
"""Seconds by which Slack's clock may be behind the store's."""
LEASE = 10.0
RENEW = 3.0
PAGE = 50
KEPT = 7 * 24 * 3600.0
"""Seconds for which a round is kept."""
ROUND = "slack:catchup"
HOLDER = "slack:catchup:holder"


class Threads(Protocol):
    """Where threads are read."""

    async def replies(self, channel: str, thread_ts: str, oldest: str) -> Sequence[Mapping[str, Any]]:
        """The messages of a thread that are later than `oldest`. Raises Later, Rejected."""


class Round(Value):
    """All threads with open questions are to be read once, since nobody had heard anything before."""

    id: str
    #: The process that found so, and hears since.
    by: str

    @property
    def place(self) -> str:
        """The name under which it is kept how far it is."""
        return f"{ROUND}:{self.id}:after"

    @property
    def done(self) -> str:
        return f"{ROUND}:{self.id}:done"


class _Lost(Exception):  # noqa: N818 - a signal, no error
    """Another process works on the round."""


class CatchUp:
    """Reads the threads with open questions, one at a time."""

    def __init__(
        self,
        store: Store,
        threads: Threads,
        installed: Installed,
        presence: Presence,
        desk: AckHandler,
        ears: Ears,
    ) -> None:
        self._store = store
        self._threads = threads
        self._installed = installed
        self._presence = presence
        self._desk = desk
        self._ears = ears

    async def run(self) -> None:
        """See to it that nothing written in a gap is missed, for ever."""
        await self._persist(self._cover)
        while True:
            await self._persist(self._go_on)
            await asyncio.sleep(EVERY)

    async def _persist(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do it, as soon as the store is there."""
        while True:
            try:
                await step()
            except StoreUnavailable:
                await asyncio.sleep(AGAIN)
            else:
                return

    # ── whether there was a gap ─────────────────────────────────────────────────────────────────────────

    async def _cover(self) -> None:
        """Record a round, unless another process has heard all the time."""
        alive = await self._presence.others_alive()
        if not await self._presence.any_hears(alive):
            await self._open_round(alive)
        await self._presence.hear()

    async def _open_round(self, alive: frozenset[str]) -> None:
        fresh = Round(id=uuid.uuid4().hex, by=self._presence.owner)
        kept = self._round(await self._store.memory.put_if_absent(ROUND, fresh.model_dump_json(), KEPT))
        if kept is None or (kept.id != fresh.id and kept.by not in alive):
            # An earlier gap's. Where it was doesn't matter: more was written since, anywhere.
            await self._store.memory.remember(ROUND, fresh.model_dump_json(), KEPT)

    # ── working on a round ──────────────────────────────────────────────────────────────────────────────

    async def _go_on(self) -> None:
        current = await self._open()
        if current is None or not await self._hold():
            return
        try:
            async with self._holding():
                await self._read_all(current)
        except* _Lost:
            log.info("another process reads the missed replies now")
        except* StoreUnavailable:
            log.info("the store is away: missed replies are read later")
        finally:
            await self._let_go()

    async def _open(self) -> Round | None:
        kept = await self._store.memory.recall(ROUND)
        current = self._round(kept) if kept else None
        return None if current is None or await self._store.memory.recall(current.done) else current

    def _round(self, kept: str) -> Round | None:
        """A round as it is kept; None: it can't be read."""
        try:
            return Round.model_validate_json(kept)
        except ValidationError:
            self._store.health.report_unreadable("round", ROUND, "it is damaged, or another release's")
            return None

    async def _hold(self) -> bool:
        mine = self._presence.owner
        if await self._store.memory.put_if_absent(HOLDER, mine, LEASE) != mine:
            return False
        await self._store.memory.remember(HOLDER, mine, LEASE)
        return True

    async def _let_go(self) -> None:
        """Let another process go on at once; without the store the lease ends by itself."""
        with suppress(StoreUnavailable):
            if await self._store.memory.recall(HOLDER) == self._presence.owner:
                await self._store.memory.forget(HOLDER)

    @asynccontextmanager
    async def _holding(self) -> AsyncIterator[None]:
        """Renew the lease while the block runs; raises _Lost (in a group) when it is another's."""
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew())
            try:
                yield
            finally:
                renewing.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW)
            if not await self._hold():
                raise _Lost

    async def _read_all(self, current: Round) -> None:
        after = await self._store.memory.recall(current.place)
        read: set[SlackPlace] = set()
        while await self._open() == current:
            page = await self._store.questions.open_page(PAGE, after=after)
            for place, oldest in (await self._threads_of(page.questions)).items():
                if place not in read:
                    await self._catch_up(place, oldest)
                    read.add(place)
            if page.next is None:
                await self._store.memory.remember(current.done, "1", KEPT)
                return
            after = page.next
            await self._store.memory.remember(current.place, after, KEPT)

    async def _threads_of(self, questions: Sequence[Question]) -> dict[SlackPlace, float]:
        """Where these are asked, and when (in seconds) the first of them was asked there."""
        found: dict[SlackPlace, float] = {}
        for question in questions:
            for place in await self._places(question):
                found[place] = min(question.created_at / 1000, found.get(place, float("inf")))
        return found

    async def _places(self, question: Question) -> list[SlackPlace]:
        """The run's thread, or the direct messages in which it goes on and its question was asked."""
        try:
            run = await self._store.runs.get(question.run_id)
            if run.place is None or run.place.surface != SURFACE or run.place.tenant != self._installed.team:
                return []
            copies = (await self._store.outbox.state(SURFACE, run.id)).copies
            refs = [ref for name, ref in copies.items() if name == MOVED or is_direct(name, question.id)]
            direct = [Posted.decode(ref) for ref in refs]
            here = [] if MOVED in copies else [SlackPlace.decode(run.place)]
        except (NotFound, UnreadableRecord):
            return []
        except ValueError as error:
            self._store.health.report_unreadable("place", f"of run {question.run_id}", str(error))
            return []
        return [*here, *(SlackPlace(run.place.tenant, each.channel, each.ts) for each in direct)]

    # ── one thread ──────────────────────────────────────────────────────────────────────────────────────

    async def _catch_up(self, place: SlackPlace, oldest: float) -> None:
        for message in await self._read(place, oldest):
            try:
                said = Said.model_validate({**message, "channel": place.channel, "type": "message"})
            except ValidationError as error:
                log.warning("a message has not Slack's shape", problems=error.error_count())
                continue
            await self._handle(Heard(place.team, self._installed.user, said))

    async def _read(self, place: SlackPlace, oldest: float) -> Sequence[Mapping[str, Any]]:
        while place.thread_ts is not None:
            try:
                return await self._threads.replies(place.channel, place.thread_ts, f"{oldest - MARGIN:.6f}")
            except Later as later:
                await asyncio.sleep(later.seconds)
            except Rejected as rejected:
                log.warning(
                    "a thread can't be read for missed replies", channel=place.channel, code=rejected.code
                )
                break
        return ()

    async def _handle(self, heard: Heard) -> None:
        reply = await told(self._hear(heard))
        while reply == UNSAVED:
            await asyncio.sleep(AGAIN)
            reply = await told(self._hear(heard))
        await self._desk.follow_up(Delivery(heard.key, line_to(heard)), reply)

    async def _hear(self, heard: Heard) -> Reply:
        work = await self._ears.overheard(heard) or self._ears.message(heard)
        return await work
