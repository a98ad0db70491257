"""Publishing one run: all that happened since the last time, in order, and its progress message redrawn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from weakref import WeakValueDictionary

import structlog

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.events.event import (
    Event,
    FileAttached,
    FileRefused,
    HumanInputCompleted,
    HumanInputRecorded,
    HumanInputReminded,
    HumanInputRequired,
    RunChanged,
)
from bot.core.ports.lists import RunFilter
from bot.core.ports.store import Store
from bot.core.runs.run import Run
from bot.metrics import Metrics
from bot.surfaces.chat.delivery.event_poster import EventPoster
from bot.surfaces.chat.delivery.orphans import OrphanReconciler
from bot.surfaces.chat.delivery.relay import QuestionRelay
from bot.surfaces.chat.delivery.scheduler import ProgressUpdater
from bot.surfaces.chat.delivery.thread import (
    DeliveryRecorder,
    Links,
    RunThread,
    ShardLeaseLost,
)
from bot.surfaces.chat.delivery.thread_opener import NOT_POSTED, ThreadOpener
from bot.surfaces.chat.failures import Rejected, RetryLater
from bot.surfaces.chat.flow_control import checked_before_calls
from bot.surfaces.chat.message_keys import DRAWN, PROGRESS, notification_failures
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.chat.platform import ChatPlatform, Priority
from bot.surfaces.chat.recipients import Recipients
from bot.surfaces.chat.rendering import progress_message, run_card

log = structlog.get_logger(__name__)

PAGE_SIZE = 200
NOTIFICATION_RETRY_DELAY_S = 60.0
"""Seconds after which telling somebody of a question is retried."""
BUSY_REDRAW_DELAY_S = 1.0
"""Seconds after which a progress message is drawn whose run was being shown."""
FAILED_REDRAW_DELAY_S = 5.0


class ThreadPublisher:
    """Shows runs, each by one task at a time."""

    def __init__(
        self,
        store: Store,
        platform: ChatPlatform,
        recorder: DeliveryRecorder,
        metrics: Metrics,
        recipients: Recipients,
        check_lease: Callable[[str], None],
    ) -> None:
        """`check_lease`: raises ShardLeaseLost if another process may deliver the run."""
        self._check_lease = check_lease
        self._store = store
        self._platform = platform
        self._surface = platform.capabilities.surface
        self._recorder = recorder
        self._recipients = recipients
        links = Links(store.key_values, platform)
        self._relay = QuestionRelay(store, platform, recorder, recipients)
        self._opener = ThreadOpener(store, platform)
        self._poster = EventPoster(store, platform, links, metrics)
        self._orphans = OrphanReconciler(store, platform, links)
        #: Runs whose progress messages are to be redrawn.
        self.progress = ProgressUpdater(
            self._redraw, platform.wait_for_progress_capacity, platform.capabilities.edit_interval_s
        )
        self._last: dict[str, Message] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def catch_up(self, run_id: str) -> None:
        """Show what is new.

        Raises RetryLater, CredentialsRefused, ShardLeaseLost, StoreUnavailable, NotFound.
        """
        async with self._turn(run_id):
            with self._checked(run_id):
                await self._catch_up(await self._store.runs.get(run_id))

    async def _catch_up(self, run: Run) -> None:
        if run.place is not None and run.place.surface != self._surface:
            await self._relay.catch_up(run)
            return
        thread = await self._thread(run)
        if thread is None:
            return
        placed = await self._placed(thread)
        await self._orphans.reconcile(thread)
        if placed:
            await self._poster.show_anew(thread)
            await self._post_news(thread)

    def _checked(self, run_id: str) -> AbstractContextManager[None]:
        """Within it the platform is called only while we certainly hold the run's shard."""
        return checked_before_calls(partial(self._check_lease, run_id))

    async def _thread(self, run: Run) -> RunThread | None:
        shown = await self._recorder.recorded(run.id)
        if run.place is None:
            return None
        thread = RunThread(
            self._platform, self._recorder, run, ChatPlace.decode(run.place, self._surface), shown
        )
        if thread.place.thread is None and (first := thread.named(PROGRESS)):
            thread.place = thread.place.moved_to(self._platform.thread_of(first[0]))
        return thread

    async def _placed(self, thread: RunThread) -> bool:
        """Whether there is a thread to tell anything in."""
        run = thread.run
        if run.error is not None and run.error.code == NOT_POSTED:
            await self._opener.explain(run, thread.place)
        elif run.status.over and thread.place.thread is None:
            log.info("a run ended before it had a place", run_id=run.id)
        else:
            return await self._opened(thread)
        await thread.advance_cursor(run.seq)
        await self._recipients.changed([run.requester.principal])
        return False

    async def _opened(self, thread: RunThread) -> bool:
        if PROGRESS in thread.messages and not thread.run.awaiting_thread:
            return True
        placed = await self._opener.open(thread)
        self.progress.mark_drawn(thread.run.id)
        await self._recipients.changed([thread.run.requester.principal])
        return placed

    async def _post_news(self, thread: RunThread) -> None:
        if thread.cursor >= thread.run.seq:
            return  # What has come since the run was read has put it into the outbox again.
        # The run as it is after its events: one that has ended meanwhile is drawn so, and never again.
        news, thread.run = await self._store.runs.events_after(thread.run.id, thread.cursor)
        await self._poster.retry_notifications(thread)
        for event in news:
            await self._poster.post(thread, event)
            if event.last:
                await self._finish(thread)
            if (event.last or _leaves_message(event)) and event is not news[-1]:
                await thread.advance_cursor(event.seq)
        if not news:
            return
        if not news[-1].last:
            self.progress.schedule(thread.run.id)
        await self._recipients.changed(await self._concerned(thread.run, news))
        if not news[-1].last and await self._has_notification_failures(thread):
            # The cursor stays before the last event, so that the run is delivered again.
            raise RetryLater(NOTIFICATION_RETRY_DELAY_S, "nobody who may answer a question can be told")
        await thread.advance_cursor(news[-1].seq)

    async def _has_notification_failures(self, thread: RunThread) -> bool:
        """Whether nobody who may answer could be told of one of the open questions."""
        if not (waiting := notification_failures(thread.messages)):
            return False
        asked = await self._store.questions.list(thread.run.id)
        return any(each.open and each.id in waiting for each in asked)

    async def _finish(self, thread: RunThread) -> None:
        await self.progress.wait_until_due(thread.run.id)
        # The thread says how the run ended: messages of questions are edited first.
        await self._draw(thread, Priority.NEWS)
        self._last.pop(thread.run.id, None)

    async def _concerned(self, run: Run, news: Iterable[Event]) -> list[str]:
        """The principals whose Home tab these events change: the requester, and who may decide."""
        concerned = [run.requester.principal]
        for event in news:
            if isinstance(event.body, HumanInputRequired | HumanInputRecorded | HumanInputCompleted):
                question = await self._store.questions.get(run.id, event.body.question_id)
                people = await self._store.directory.people(question.policy)
                concerned += people.expand(question.policy.deciders)
        return concerned

    # ── progress ────────────────────────────────────────────────────────────────────────────────────────

    async def recover(self) -> None:
        """Redraw what the former holder of our shards left undrawn. Raises StoreUnavailable."""
        self._last.clear()  # They may have drawn something else since we did.
        page = await self._store.runs.page(RunFilter(active=True, limit=PAGE_SIZE))
        while True:
            for run in page.runs:
                if run.place is not None and run.place.surface == self._surface:
                    await self._recover_one(run)
            if page.next is None:
                return
            page = await self._store.runs.page(RunFilter(active=True, limit=PAGE_SIZE, before=page.next))

    async def _recover_one(self, run: Run) -> None:
        """Redraw one run. One that can't be shown is logged, and the others go on."""
        try:
            await self._recover(run)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            self._log_undrawn(run.id, error)

    def _log_undrawn(self, run_id: str, error: Exception) -> None:
        if isinstance(error, UnreadableRecord):
            log.debug("a run can't be read: it is not drawn", run_id=run_id, reason=str(error))
        else:
            log.error("a progress message could not be drawn", run_id=run_id, exc_info=error)

    async def _recover(self, run: Run) -> None:
        shown = await self._recorder.recorded(run.id)
        if PROGRESS not in shown.messages or int(shown.messages.get(DRAWN, 0)) >= shown.cursor:
            return
        try:
            await self._recorder.record(run.id, shown.cursor)
        except ShardLeaseLost:
            return  # Another process has its shard.
        self.progress.schedule(run.id)

    async def _redraw(self, run_id: str) -> None:
        turn = self._turn(run_id)
        if turn.locked():
            # Its messages may wait long for their channel; the other runs' progress must not.
            self.progress.schedule(run_id, BUSY_REDRAW_DELAY_S)
            return
        try:
            async with turn:
                with self._checked(run_id):
                    await self._draw_progress(run_id)
        except RetryLater as later:
            self.progress.schedule(run_id, later.seconds)
        except (Rejected, StoreUnavailable) as failure:
            log.info("a progress message could not be drawn", run_id=run_id, code=failure.code)
            self.progress.schedule(run_id, FAILED_REDRAW_DELAY_S)
        except NotFound:
            log.debug("a run was deleted: nothing is left to deliver", run_id=run_id)
        except ShardLeaseLost:
            log.info("another process may draw this run by now", run_id=run_id)
        except Exception as error:  # noqa: BLE001 - the others are drawn all the same
            self._log_undrawn(run_id, error)

    async def _draw_progress(self, run_id: str) -> None:
        thread = await self._thread(await self._store.runs.get(run_id))
        if thread is not None and not thread.run.status.over:
            await self._draw(thread, Priority.PROGRESS)

    async def _draw(self, thread: RunThread, priority: Priority) -> None:
        """Draw the newest state, unless it looks like what is there."""
        run_id = thread.run.id
        message = await progress_message(await run_card(self._store, thread.run))
        if self._last.get(run_id) == message:
            return
        await thread.rewrite(PROGRESS, message, priority)
        self.progress.mark_drawn(run_id)
        self._last[run_id] = message
        await thread.record(DRAWN, str(thread.run.seq))

    def _turn(self, run_id: str) -> asyncio.Lock:
        return self._turns.setdefault(run_id, asyncio.Lock())


def _leaves_message(event: Event) -> bool:
    """Whether the event put something into the thread that must not be posted again."""
    return isinstance(
        event.body,
        HumanInputRequired
        | HumanInputRecorded
        | HumanInputCompleted
        | HumanInputReminded
        | RunChanged
        | FileAttached
        | FileRefused,
    )
