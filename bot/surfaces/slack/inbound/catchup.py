"""Replies that people wrote while no web process was up: read once at start-up, handled as if delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import structlog

from bot.core.errors import NotFound, StoreUnavailable
from bot.core.model import Question
from bot.core.ports import Store
from bot.surfaces.slack.inbound.desk import Desk
from bot.surfaces.slack.inbound.listeners.messages import Ears, line_to
from bot.surfaces.slack.inbound.payloads import Said
from bot.surfaces.slack.inbound.presence import Presence
from bot.surfaces.slack.inbound.replies import Heard
from bot.surfaces.slack.inbound.unfinished import Delivery
from bot.surfaces.slack.place import MOVED, SURFACE, Posted, SlackPlace
from bot.surfaces.slack.webapi.api import Later, Rejected
from bot.surfaces.slack.webapi.installed import Installed

log = structlog.get_logger(__name__)

AGAIN = 2.0
"""Seconds before the store is asked again, where it was away."""
MARGIN = 2.0
"""Seconds by which Slack's clock may be behind the store's."""


class Threads(Protocol):
    """Where threads are read."""

    async def replies(self, channel: str, thread_ts: str, oldest: str) -> Sequence[Mapping[str, Any]]:
        """The messages of a thread that are later than `oldest`. Raises Later, Rejected."""


class CatchUp:
    """Reads the threads with open questions, one at a time."""

    def __init__(
        self, store: Store, threads: Threads, installed: Installed, presence: Presence, desk: Desk, ears: Ears
    ) -> None:
        self._store = store
        self._threads = threads
        self._installed = installed
        self._presence = presence
        self._desk = desk
        self._ears = ears

    async def run(self) -> None:
        """Once. Not where another web process was up all the time, since Slack delivered to that one."""
        if await self._presence.others_alive():
            return
        for place, oldest in (await self._waiting()).items():
            for message in await self._read(place, oldest):
                await self._handle(place, message)

    async def _waiting(self) -> dict[SlackPlace, float]:
        """Threads with open questions, and when (in seconds) the first of these was asked."""
        found: dict[SlackPlace, float] = {}
        for question in await self._store.open_questions():
            place, at = await self._place(question), question.created_at / 1000
            if place is not None:
                found[place] = min(at, found.get(place, at))
        return found

    async def _place(self, question: Question) -> SlackPlace | None:
        try:
            run = await self._store.run(question.run_id)
        except NotFound:
            return None
        if run.place is None or run.place.surface != SURFACE or run.place.tenant != self._installed.team:
            return None
        moved = (await self._store.delivery(SURFACE, run.id)).copies.get(MOVED)
        if moved is None:
            return SlackPlace.decode(run.place)
        there = Posted.decode(moved)
        return SlackPlace(run.place.tenant, there.channel, there.ts)

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

    async def _handle(self, place: SlackPlace, message: Mapping[str, Any]) -> None:
        said = Said.model_validate({**message, "channel": place.channel, "type": "message"})
        heard = Heard(place.team, self._installed.user, said)
        delivery = Delivery(heard.key, line_to(heard))
        try:
            work = await self._ears.overheard(heard) or self._ears.message(heard)
            reply = await work
        except StoreUnavailable:
            await asyncio.sleep(AGAIN)
            await self._handle(place, message)
        else:
            await self._desk.follow_up(delivery, reply)
