"""Opening a run's thread: its first message is posted before the run is queued, or nothing is started."""

from __future__ import annotations

import structlog

from bot.core.ports import Store
from bot.core.run import Run, RunError
from bot.surfaces.chat.delivery.thread import RunThread
from bot.surfaces.chat.failures import Later, Rejected, ShutOut, Unrenderable
from bot.surfaces.chat.message_keys import PROGRESS, Posted, orphaned_openers, unplaced_notice
from bot.surfaces.chat.places import ChatPlace, Conversation
from bot.surfaces.chat.platform import ChatPlatform, Priority
from bot.surfaces.chat.rendering import progress_message, run_card
from bot.surfaces.chat.wording import run_messages

log = structlog.get_logger(__name__)

NOT_POSTED = "not_posted"
"""The error code of a run whose thread could not be opened."""
NOTICE_TTL_S = 24 * 3600.0
COMMAND_HEAD_START_S = 3.0
"""Seconds in which whoever took the command can say it where it was typed, which is the better place."""


class ThreadOpener:
    """Opens threads, and says why one could not be opened."""

    def __init__(self, store: Store, platform: ChatPlatform) -> None:
        self._store = store
        self._platform = platform

    async def open(self, thread: RunThread) -> bool:
        """Post the run's progress message and queue the run if it awaits its thread; False if it was failed.

        Raises Later, ShutOut, Superseded, StoreUnavailable.
        """
        try:
            posted = await self._first_message(thread)
        except ShutOut:
            raise
        except Rejected as rejected:
            if not thread.run.awaiting_thread:
                return True  # Its place was bound long ago: what follows finds another way.
            await self._fail(thread.run, rejected)
            return False
        opened = thread.place.thread or self._platform.thread_of(posted).thread
        thread.place = thread.place.moved_to(Conversation(posted.channel, opened))
        if thread.run.awaiting_thread:
            thread.run = await self._store.runs.bind_place(thread.run.id, thread.place.encode())
        return True

    async def _first_message(self, thread: RunThread) -> Posted:
        """It is recorded before the run is queued, so that a crash in between doesn't post it again."""
        if known := thread.named(PROGRESS):
            return known[0]
        if orphans := orphaned_openers(thread.messages):
            await thread.note(PROGRESS, orphans[0].encode())
            return orphans[0]
        message = await progress_message(await run_card(self._store, thread.run))
        try:
            return await thread.post(message, name=PROGRESS, priority=Priority.DECISION)
        except Unrenderable:
            return await thread.post(message.without_blocks(), name=PROGRESS, priority=Priority.DECISION)

    async def _fail(self, run: Run, rejected: Rejected) -> None:
        log.warning("a thread could not be opened; the run is not started", run_id=run.id, code=rejected.code)
        sentence = run_messages.why_not_placed(
            rejected.reason, rejected.code, await self._platform.app_name(), self._platform.capabilities
        )
        await self._store.runs.fail_unplaced(run.id, RunError(code=NOT_POSTED, message=sentence))

    async def explain(self, run: Run, place: ChatPlace) -> None:
        """Tell the requester that the run's thread could not be opened, unless they know. Raises Later."""
        waited_ms = await self._store.clock.now() - (run.finished_at or 0)
        if waited_ms < COMMAND_HEAD_START_S * 1000:
            raise Later(COMMAND_HEAD_START_S - waited_ms / 1000, "who took the command may say it")
        requester = run.requester
        if requester.surface != place.surface or not await self._claim_notice(run, place.surface):
            return
        try:
            message = run_messages.not_placed(await run_card(self._store, run), place.channel)
            await self._platform.post(await self._platform.open_direct(requester.user_id), message)
        except Rejected as rejected:
            log.warning("a requester can't be told", run_id=run.id, code=rejected.code)

    async def _claim_notice(self, run: Run, surface: str) -> bool:
        """Whoever is first tells the requester, and keeps trying."""
        key = unplaced_notice(surface, run.id)
        ours = f"{key}:direct"
        if await self._store.key_values.get(ours) is None:
            if not await self._store.key_values.once(key):
                return False
            await self._store.key_values.set(ours, "1", NOTICE_TTL_S)
        return True
