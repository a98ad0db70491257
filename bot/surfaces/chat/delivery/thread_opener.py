"""Opening a run's thread: its first message is posted before the run is queued, or nothing is started."""

from __future__ import annotations

import structlog

from bot.core.ports import Store
from bot.core.run import Run, RunError
from bot.surfaces.chat.delivery.event_poster import progress, run_card
from bot.surfaces.chat.delivery.thread import PROGRESS, Thread
from bot.surfaces.chat.message_keys import TWIN, Posted
from bot.surfaces.slack.cards import runcard
from bot.surfaces.slack.cards.runcard import Message
from bot.surfaces.slack.place import SURFACE, SlackPlace, placeless
from bot.surfaces.slack.webapi.api import SlackApi
from bot.surfaces.slack.webapi.failures import SHUT_OUT, Later, Rejected, Unrenderable
from bot.surfaces.slack.webapi.token_bucket import Priority

log = structlog.get_logger(__name__)

NOT_POSTED = "not_posted"
"""The code of a run whose thread could not be opened."""
DAY = 24 * 3600.0
HEAD_START = 3.0
"""Seconds in which whoever took the command can say it where it was typed, which is the better place."""


class Founding:
    """Finds runs their place."""

    def __init__(self, store: Store, api: SlackApi) -> None:
        self._store = store
        self._api = api

    async def found(self, thread: Thread) -> bool:
        """Post the run's progress message, and queue the run if it was held; False if it was failed instead.

        Raises Later, Rejected (the workspace is closed to us), Superseded, StoreUnavailable.
        """
        try:
            posted = await self._first_message(thread)
        except Rejected as rejected:
            if rejected.code in SHUT_OUT:
                raise
            if not thread.run.held:
                return True  # Its place was settled long ago: what it says will find another way.
            await self._fail(thread.run, rejected.code)
            return False
        thread.place = SlackPlace(thread.place.team, posted.channel, thread.place.thread_ts or posted.ts)
        if thread.run.held:
            thread.run = await self._store.runs.bind_place(thread.run.id, thread.place.encode())
        return True

    async def _first_message(self, thread: Thread) -> Posted:
        """Recorded before the run is queued: a crash in between posts it no second time."""
        if known := thread.named(PROGRESS):
            return known[0]
        if known := thread.named(TWIN):
            # Whoever posted it died over it.
            await thread.note(PROGRESS, known[0].encode())
            return known[0]
        message = await progress(await run_card(self._store, thread.run))
        try:
            return await thread.say(message, name=PROGRESS, priority=Priority.DECISION)
        except Unrenderable:
            return await thread.say(Message(text=message.text), name=PROGRESS, priority=Priority.DECISION)

    async def _fail(self, run: Run, code: str) -> None:
        log.warning("a thread could not be opened; the run is not started", run_id=run.id, code=code)
        sentence = runcard.why_placeless(code, await self._api.name())
        await self._store.runs.fail_unplaced(run.id, RunError(code=NOT_POSTED, message=sentence))

    async def explain(self, run: Run, place: SlackPlace) -> None:
        """Tell the requester that the run found no place, unless they know. Raises Later."""
        waited = await self._store.clock.now() - (run.finished_at or 0)
        if waited < HEAD_START * 1000:
            raise Later(HEAD_START - waited / 1000, "who took the command may say it")
        requester = run.requester
        if requester.surface != SURFACE or not await self._mine_to_tell(run):
            return
        try:
            message = runcard.placeless(await run_card(self._store, run), place.channel)
            await self._api.dm(requester.user_id, message)
        except Rejected as rejected:
            log.warning("a requester can't be told", run_id=run.id, code=rejected.code)

    async def _mine_to_tell(self, run: Run) -> bool:
        """Whoever is first tells it, and goes on trying."""
        mine = f"{placeless(run.id)}:direct"
        if await self._store.memory.recall(mine) is None:
            if not await self._store.memory.once(placeless(run.id)):
                return False
            await self._store.memory.remember(mine, "1", DAY)
        return True
