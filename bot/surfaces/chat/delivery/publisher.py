"""One run, shown: all that happened since the last time, in order, and its progress message redrawn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from weakref import WeakValueDictionary

import structlog

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.event import Event, HumanInputCompleted, HumanInputReminded, HumanInputRequired, RunChanged
from bot.core.lists import RunFilter
from bot.core.ports import Store
from bot.core.run import Run
from bot.surfaces.chat.delivery.event_poster import Telling, progress, run_card
from bot.surfaces.chat.delivery.orphans import Mending
from bot.surfaces.chat.delivery.progress import Board
from bot.surfaces.chat.delivery.thread import DRAWN, PROGRESS, Ledger, Superseded, Thread
from bot.surfaces.chat.delivery.thread_opener import NOT_POSTED, Founding
from bot.surfaces.chat.message_keys import untold_in
from bot.surfaces.slack.cards.runcard import Message
from bot.surfaces.slack.home import Home
from bot.surfaces.slack.place import SURFACE, SlackPlace
from bot.surfaces.slack.webapi.api import SlackApi
from bot.surfaces.slack.webapi.failures import Later, Rejected
from bot.surfaces.slack.webapi.links import Links
from bot.surfaces.slack.webapi.token_bucket import Priority

log = structlog.get_logger(__name__)

PAGE = 200
UNTOLD_AGAIN = 60.0
"""Seconds after which it is tried again to tell somebody of a question."""
BUSY = 1.0
"""Seconds after which a progress message is drawn whose run was just being shown."""
AGAIN = 5.0
"""Seconds after which a progress message is drawn again that could not be drawn."""


class Show:
    """Shows runs, each by one task at a time."""

    def __init__(self, store: Store, api: SlackApi, ledger: Ledger, home: Home) -> None:
        self._store = store
        self._api = api
        self._ledger = ledger
        self._home = home
        self._founding = Founding(store, api)
        links = Links(store.memory, api)
        self._telling = Telling(store, api, links)
        self._mending = Mending(store, links)
        #: Which progress messages are to be redrawn.
        self.board = Board(self._redraw, api.room_for_progress, api.between_edits)
        self._last: dict[str, Message] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def catch_up(self, run_id: str) -> None:
        """Show what is new.

        Raises Later, Rejected (the workspace is closed to us), Superseded, StoreUnavailable, NotFound.
        """
        async with self._turn(run_id):
            thread = await self._thread(run_id)
            if thread is None:
                return
            placed = await self._placed(thread)
            await self._mending.mend(thread)
            if placed:
                await self._tell(thread)

    async def _thread(self, run_id: str) -> Thread | None:
        run, shown = await self._store.runs.get(run_id), await self._ledger.shown(run_id)
        if run.place is None:
            return None
        thread = Thread(self._api, self._ledger, run, SlackPlace.decode(run.place), shown)
        if thread.place.thread_ts is None and (first := thread.named(PROGRESS)):
            thread.place = SlackPlace(thread.place.team, first[0].channel, first[0].ts)
        return thread

    async def _placed(self, thread: Thread) -> bool:
        """Whether there is a thread to tell anything in."""
        run = thread.run
        if run.error is not None and run.error.code == NOT_POSTED:
            await self._founding.explain(run, thread.place)
        elif run.status.over and thread.place.thread_ts is None:
            log.info("a run ended before it had a place", run_id=run.id)
        else:
            return await self._begun(thread)
        await thread.reached(run.seq)
        await self._home.concern([run.requester.principal])
        return False

    async def _begun(self, thread: Thread) -> bool:
        if PROGRESS in thread.copies and not thread.run.held:
            return True
        placed = await self._founding.found(thread)
        self.board.drawn(thread.run.id)
        return placed

    async def _tell(self, thread: Thread) -> None:
        news = await self._store.events.read(thread.run.id, thread.cursor)
        # Not older than its events: one that has ended meanwhile is drawn so, and never again.
        thread.run = await self._store.runs.get(thread.run.id)
        await self._telling.tell_untold(thread)
        for event in news:
            await self._telling.tell(thread, event)
            if event.last:
                await self._finish(thread)
            if (event.last or _said(event)) and event is not news[-1]:
                await thread.reached(event.seq)
        if not news:
            return
        if not news[-1].last:
            self.board.mark(thread.run.id)
        await self._home.concern(await self._concerned(thread.run, news))
        if not news[-1].last and await self._untold(thread):
            # The last event stays untold in the record, too, so that the run is looked at again.
            raise Later(UNTOLD_AGAIN, "nobody who may answer a question can be told")
        await thread.reached(news[-1].seq)

    async def _untold(self, thread: Thread) -> bool:
        """Whether there is an open question of which nobody could be told who may answer it."""
        waiting = untold_in(thread.copies)
        return any(
            each.open and each.id in waiting for each in await self._store.questions.list(thread.run.id)
        )

    async def _finish(self, thread: Thread) -> None:
        await self.board.pace(thread.run.id)
        await self._draw(thread, Priority.DECISION)
        self._last.pop(thread.run.id, None)

    async def _concerned(self, run: Run, news: Iterable[Event]) -> list[str]:
        """Whose Home tab these events change."""
        concerned = [run.requester.principal]
        for event in news:
            if isinstance(event.body, HumanInputRequired | HumanInputCompleted):
                question = await self._store.questions.get(run.id, event.body.question_id)
                concerned += question.policy.deciders
        return concerned

    # ── progress ────────────────────────────────────────────────────────────────────────────────────────

    async def recover(self) -> None:
        """Redraw what whoever had our shards before left undrawn. Raises StoreUnavailable."""
        self._last.clear()  # They may have drawn something else since we did.
        page = await self._store.runs.page(RunFilter(active=True, limit=PAGE))
        while True:
            for run in page.runs:
                if run.place is not None and run.place.surface == SURFACE:
                    await self._recover_one(run)
            if page.next is None:
                return
            page = await self._store.runs.page(RunFilter(active=True, limit=PAGE, before=page.next))

    async def _recover_one(self, run: Run) -> None:
        """What is wrong with one doesn't concern the others."""
        try:
            await self._recover(run)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            self._unshown(run.id, error)

    def _unshown(self, run_id: str, error: Exception) -> None:
        if isinstance(error, UnreadableRecord):
            log.debug("a run can't be read: it is not drawn", run_id=run_id, reason=str(error))
        else:
            log.error("a progress message could not be drawn", run_id=run_id, exc_info=error)

    async def _recover(self, run: Run) -> None:
        shown = await self._ledger.shown(run.id)
        if PROGRESS not in shown.copies or int(shown.copies.get(DRAWN, 0)) >= shown.cursor:
            return
        try:
            await self._ledger.record(run.id, shown.cursor)
        except Superseded:
            return  # Another process has its shard.
        self.board.mark(run.id)

    async def _redraw(self, run_id: str) -> None:
        turn = self._turn(run_id)
        if turn.locked():
            # What it says waits for its channel, maybe for long. The other runs' progress doesn't.
            self.board.mark(run_id, BUSY)
            return
        try:
            async with turn:
                thread = await self._thread(run_id)
                if thread is not None and not thread.run.status.over:
                    await self._draw(thread, Priority.PROGRESS)
        except Later as later:
            self.board.mark(run_id, later.seconds)
        except (Rejected, StoreUnavailable) as failure:
            log.info("a progress message could not be drawn", run_id=run_id, code=failure.code)
            self.board.mark(run_id, AGAIN)
        except NotFound:
            log.debug("a run is forgotten", run_id=run_id)
        except Superseded:
            log.debug("another process draws this run now", run_id=run_id)
        except Exception as error:  # noqa: BLE001 - the board goes on with the others
            self._unshown(run_id, error)

    async def _draw(self, thread: Thread, priority: Priority) -> None:
        """From the newest state, unless it looks like what is there."""
        run_id = thread.run.id
        message = await progress(await run_card(self._store, thread.run))
        if self._last.get(run_id) == message:
            return
        await thread.rewrite(PROGRESS, message, priority)
        self.board.drawn(run_id)
        self._last[run_id] = message
        await thread.note(DRAWN, str(thread.run.seq))

    def _turn(self, run_id: str) -> asyncio.Lock:
        return self._turns.setdefault(run_id, asyncio.Lock())


def _said(event: Event) -> bool:
    """Whether the event put something into the thread, which is not to be said again."""
    return isinstance(event.body, HumanInputRequired | HumanInputCompleted | HumanInputReminded | RunChanged)
