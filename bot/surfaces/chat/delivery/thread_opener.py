"""Opens the threads of runs: the first message is posted before the run is queued, or nothing is started."""

from __future__ import annotations

from collections import deque

import structlog

from bot.core.ports.store import Store
from bot.core.runs.run import Run, RunError
from bot.surfaces.chat.delivery.thread import RunThread
from bot.surfaces.chat.failures import CredentialsRefused, Rejected, RetryLater, Unrenderable
from bot.surfaces.chat.message_keys import PROGRESS, orphaned_openers, unplaced_notice
from bot.surfaces.chat.places import ChatPlace, Conversation, MessageRef
from bot.surfaces.chat.platform import ChatPlatform, Priority
from bot.surfaces.chat.rendering import progress_message, run_card
from bot.surfaces.chat.wording import run_messages

log = structlog.get_logger(__name__)

NOT_POSTED = "not_posted"
"""The error code of a run whose thread could not be opened."""
NOTICE_TTL_S = 24 * 3600.0
MAX_TOLD = 1000
"""How many told requesters this process remembers."""
COMMAND_HEAD_START_S = 3.0
"""Seconds in which whoever took the command can say it where it was typed, which is the better place."""


class ThreadOpener:
    """Opens threads, and says why one could not be opened."""

    def __init__(self, store: Store, platform: ChatPlatform) -> None:
        self._store = store
        self._platform = platform
        #: The runs whose requesters were told last, which may not be recorded while the store is away.
        self._told: deque[str] = deque(maxlen=MAX_TOLD)

    async def open(self, thread: RunThread) -> bool:
        """Post the run's progress message and queue the run if it awaits its thread; False if it was failed.

        Raises RetryLater, CredentialsRefused, ShardLeaseLost, StoreUnavailable.
        """
        try:
            posted = await self._first_message(thread)
        except CredentialsRefused:
            raise
        except Rejected as rejected:
            if not thread.run.awaiting_thread:
                return True  # Its place was bound long ago: what follows finds another way.
            await self._fail(thread.run, rejected)
            return False
        opened = thread.place.thread or self._platform.thread_of(posted).thread
        await thread.record_opened(posted, Conversation(posted.channel, opened))
        return True

    async def _first_message(self, thread: RunThread) -> MessageRef:
        """Post it, unless a process has posted it that died or lost the store since."""
        if known := thread.named(PROGRESS) or orphaned_openers(thread.messages):
            return known[0]
        message = await progress_message(await run_card(self._store, thread.run))
        try:
            return await thread.post(message, priority=Priority.DECISION)
        except Unrenderable:
            return await thread.post(message.without_blocks(), priority=Priority.DECISION)

    async def _fail(self, run: Run, rejected: Rejected) -> None:
        log.warning("a thread could not be opened; the run is not started", run_id=run.id, code=rejected.code)
        sentence = run_messages.why_not_placed(
            rejected.reason, rejected.code, await self._platform.app_name(), self._platform.capabilities
        )
        await self._store.runs.fail_unplaced(run.id, RunError(code=NOT_POSTED, message=sentence))

    async def explain(self, run: Run, place: ChatPlace) -> None:
        """Tell the requester that their run's thread can't be opened, unless they know. Raises RetryLater."""
        waited_ms = await self._store.clock.now() - (run.finished_at or 0)
        if waited_ms < COMMAND_HEAD_START_S * 1000:
            raise RetryLater(COMMAND_HEAD_START_S - waited_ms / 1000, "who took the command may say it")
        requester = run.requester
        if requester.surface != place.surface or run.id in self._told:
            return
        if not await self._claim_notice(run, place.surface):
            return
        try:
            message = run_messages.not_placed(await run_card(self._store, run), place.channel)
            await self._platform.post(await self._platform.open_direct(requester.user_id), message)
        except Rejected as rejected:
            log.warning("a requester can't be told", run_id=run.id, code=rejected.code)
        self._told.append(run.id)

    async def _claim_notice(self, run: Run, surface: str) -> bool:
        """The first process to claim the notice tells the requester, and keeps trying.

        Where the store was away between two steps, it isn't known who was first: they are told then.
        """
        key, key_values = unplaced_notice(surface, run.id), self._store.key_values
        ours = f"{key}:direct"
        if await key_values.get(ours) is not None:
            return True
        await key_values.set(ours, "1", NOTICE_TTL_S)
        if await key_values.add(key):
            return True
        await key_values.delete(ours)
        return False
