"""Who started a run where its thread can't be opened hears why, where they typed it."""

from __future__ import annotations

import asyncio

from bot.core.feed import Feed, run_topic
from bot.core.ports import Memory, Runs
from bot.core.run import Run, RunStatus
from bot.surfaces.chat.inbound.reply import ReplyTarget
from bot.surfaces.slack.cards import private
from bot.surfaces.slack.inbound.notices import Notices
from bot.surfaces.slack.place import placeless

PATIENCE = 15 * 60.0
"""Seconds for which Slack's way back to a person works twice over."""


class Placing:
    """Watches new runs until they have a place."""

    def __init__(self, runs: Runs, memory: Memory, feed: Feed, notices: Notices) -> None:
        self._runs = runs
        self._memory = memory
        self._feed = feed
        self._notices = notices

    async def watch(self, run: Run, line: ReplyTarget) -> None:
        """Return when the run's thread is there, or once the person knows why it isn't."""
        try:
            async with asyncio.timeout(PATIENCE):
                run = await self._settled(run)
        except TimeoutError:
            return  # It is still being tried, and whoever delivers it tells its requester.
        if (
            run.status is RunStatus.FAILED
            and run.error is not None
            and await self._memory.once(placeless(run.id))
        ):
            await self._notices.tell(line, private.words(run.error.message))

    async def _settled(self, run: Run) -> Run:
        with self._feed.watch(run_topic(run.id)) as signal:
            while run.held and not run.status.over:
                signal.clear()
                run = await self._runs.get(run.id)
                if run.held and not run.status.over:
                    await signal.wait()
        return run
