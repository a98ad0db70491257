"""Replies that people wrote while no web process was up: read once, handled as if they had just arrived.

A starting process checks whether another one receives already. If none does, there was a gap: the process
records that (a round) before it counts as receiving itself. Any process works on an open round, one at a time
(a lease); its position is recorded, so that another one goes on from there.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog
from pydantic import ValidationError

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.core.value import Value
from bot.surfaces.chat.failures import Rejected, RetryLater
from bot.surfaces.chat.inbound.ack_handler import UNSAVED, AckHandler, reply_of
from bot.surfaces.chat.inbound.ports import InboundRequest, IncomingMessage
from bot.surfaces.chat.inbound.routing import MessageRouter
from bot.surfaces.chat.message_keys import MOVED, is_direct, messages_showing
from bot.surfaces.chat.places import ChatPlace, MessageRef
from bot.surfaces.chat.presence import Presence
from bot.tasks import run_alongside

log = structlog.get_logger(__name__)

RETRY_DELAY_S = 2.0
"""Delay before the store is asked again, where it was away."""
POLL_INTERVAL_S = 2.0
"""Interval of looking for a round to work on."""
LEASE_S = 10.0
RENEWAL_INTERVAL_S = 3.0
PAGE_SIZE = 50
ROUND_TTL_S = 7 * 24 * 3600.0


@dataclass(frozen=True)
class HistoryStart:
    """Where reading a thread begins: after the first of its messages that shows a question."""

    #: The ids of these messages. They are the platform's, whose clock may be behind the store's.
    shown: frozenset[str] = frozenset()
    #: When the first question was asked whose message isn't recorded: in seconds, by the store's clock.
    asked_at: float = math.inf

    def __or__(self, other: HistoryStart) -> HistoryStart:
        return HistoryStart(self.shown | other.shown, min(self.asked_at, other.asked_at))


class ThreadHistory(Protocol):
    """Where threads are read."""

    async def replies(self, place: ChatPlace, since: HistoryStart) -> Sequence[IncomingMessage]:
        """What was written in a thread from there on. Raises RetryLater, Rejected."""


class CatchUpRound(Value):
    """All threads with open questions are to be read once, because no process received anything before."""

    id: str
    #: The process that found the gap, and receives since.
    by: str


class _LeaseLost(Exception):  # noqa: N818 - a signal, no error
    """Another process works on the round."""


class CatchUp:
    """Reads the threads with open questions, one at a time."""

    def __init__(
        self,
        surface: str,
        store: Store,
        history: ThreadHistory,
        presence: Presence,
        ack_handler: AckHandler,
        router: MessageRouter,
    ) -> None:
        self._surface = surface
        self._store = store
        self._history = history
        self._presence = presence
        self._ack_handler = ack_handler
        self._router = router
        self._round_key = f"{surface}:catchup"
        self._holder_key = f"{surface}:catchup:holder"

    async def run(self, tenant: str) -> None:
        """Read what was written in a gap in this tenant's threads, until cancelled."""
        await self._persist(self._record_gap)
        while True:
            await self._persist(lambda: self._work_on_round(tenant))
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _persist(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do it, as soon as the store is there."""
        while True:
            try:
                await step()
            except StoreUnavailable:
                await asyncio.sleep(RETRY_DELAY_S)
            else:
                return

    # ── whether there was a gap ─────────────────────────────────────────────────────────────────────────

    async def _record_gap(self) -> None:
        """Record a round, unless another process was receiving all the time."""
        alive = await self._presence.others_alive()
        if not await self._presence.any_receiving(alive):
            await self._open_round(alive)
        await self._presence.mark_receiving()

    async def _open_round(self, alive: frozenset[str]) -> None:
        fresh = CatchUpRound(id=uuid.uuid4().hex, by=self._presence.owner)
        kept = self._round(
            await self._store.key_values.set_if_absent(self._round_key, fresh.model_dump_json(), ROUND_TTL_S)
        )
        if kept is None or (kept.id != fresh.id and kept.by not in alive):
            # The round of an earlier gap. Its position doesn't matter: more was written since, anywhere.
            await self._store.key_values.set(self._round_key, fresh.model_dump_json(), ROUND_TTL_S)

    # ── working on a round ──────────────────────────────────────────────────────────────────────────────

    async def _work_on_round(self, tenant: str) -> None:
        current = await self._open()
        if current is None or not await self._acquire():
            return
        try:
            async with run_alongside(self._renew()):
                await self._read_all(current, tenant)
        except* _LeaseLost:
            log.info("another process reads the missed replies now")
        except* StoreUnavailable:
            log.info("the store is away: missed replies are read later")
        finally:
            await self._release()

    async def _open(self) -> CatchUpRound | None:
        kept = await self._store.key_values.get(self._round_key)
        current = self._round(kept) if kept else None
        return (
            None if current is None or await self._store.key_values.get(self._done_key(current)) else current
        )

    def _round(self, kept: str) -> CatchUpRound | None:
        """A round as it is kept; None: it can't be read."""
        try:
            return CatchUpRound.model_validate_json(kept)
        except ValidationError:
            self._store.health.report_unreadable(
                "round", self._round_key, "it is damaged, or another release's"
            )
            return None

    async def _acquire(self) -> bool:
        mine = self._presence.owner
        if await self._store.key_values.set_if_absent(self._holder_key, mine, LEASE_S) != mine:
            return False
        await self._store.key_values.set(self._holder_key, mine, LEASE_S)
        return True

    async def _release(self) -> None:
        """Let another process go on at once; without the store the lease ends by itself."""
        with suppress(StoreUnavailable):
            if await self._store.key_values.get(self._holder_key) == self._presence.owner:
                await self._store.key_values.delete(self._holder_key)

    async def _renew(self) -> None:
        """Renew the lease until cancelled. Raises _LeaseLost when another process has it."""
        while True:
            await asyncio.sleep(RENEWAL_INTERVAL_S)
            if not await self._acquire():
                raise _LeaseLost

    async def _read_all(self, current: CatchUpRound, tenant: str) -> None:
        after = await self._store.key_values.get(self._position_key(current))
        read: set[ChatPlace] = set()
        while await self._open() == current:
            page = await self._store.questions.open_page(PAGE_SIZE, after=after)
            for place, since in (await self._threads_of(page.questions, tenant)).items():
                if place not in read:
                    await self._catch_up(place, since)
                    read.add(place)
            if page.next is None:
                await self._store.key_values.set(self._done_key(current), "1", ROUND_TTL_S)
                return
            after = page.next
            await self._store.key_values.set(self._position_key(current), after, ROUND_TTL_S)

    async def _threads_of(self, questions: Sequence[Question], tenant: str) -> dict[ChatPlace, HistoryStart]:
        """Where these are asked, and from where on each thread is read."""
        found: dict[ChatPlace, HistoryStart] = {}
        for question in questions:
            for place, since in (await self._places(question, tenant)).items():
                found[place] = found.get(place, HistoryStart()) | since
        return found

    async def _places(self, question: Question, tenant: str) -> dict[ChatPlace, HistoryStart]:
        """The run's thread, and the direct messages in which it goes on or its question was asked."""
        try:
            run = await self._store.runs.get(question.run_id)
            if run.place is None:
                return {}
            lives_here = run.place.surface == self._surface
            if lives_here and run.place.tenant != tenant:
                return {}
            messages = (await self._store.outbox.state(self._surface, run.id)).messages
            refs = [ref for name, ref in messages.items() if name == MOVED or is_direct(name, question.id)]
            direct = [MessageRef.decode(ref) for ref in refs]
            stays = lives_here and MOVED not in messages
            here = [ChatPlace.decode(run.place, self._surface)] if stays else []
        except (NotFound, UnreadableRecord):
            return {}
        except ValueError as error:
            self._store.health.report_unreadable("place", f"of run {question.run_id}", str(error))
            return {}
        places = [
            *here,
            *(ChatPlace(self._surface, tenant, each.channel, each.message_id) for each in direct),
        ]
        return {each: _since(question, messages, each.channel) for each in places}

    async def _catch_up(self, place: ChatPlace, since: HistoryStart) -> None:
        for message in await self._replies(place, since):
            reply = await reply_of(self._router.missed(message))
            while reply == UNSAVED:
                await asyncio.sleep(RETRY_DELAY_S)
                reply = await reply_of(self._router.missed(message))
            await self._ack_handler.follow_up(InboundRequest(message.key, message.reply_to), reply)

    async def _replies(self, place: ChatPlace, since: HistoryStart) -> Sequence[IncomingMessage]:
        """What was written in a thread; nothing where the platform refuses to say."""
        while place.thread is not None:
            try:
                return await self._history.replies(place, since)
            except RetryLater as later:
                await asyncio.sleep(later.seconds)
            except Rejected as rejected:
                log.warning("missed replies can't be read", channel=place.channel, code=rejected.code)
                break
        return ()

    def _position_key(self, current: CatchUpRound) -> str:
        return f"{self._round_key}:{current.id}:after"

    def _done_key(self, current: CatchUpRound) -> str:
        return f"{self._round_key}:{current.id}:done"


def _since(question: Question, names: Mapping[str, str], channel: str) -> HistoryStart:
    """From where on replies to a question are read in a channel."""
    shown = messages_showing(names, question.id, channel)
    return HistoryStart(shown) if shown else HistoryStart(asked_at=question.created_at / 1000)
