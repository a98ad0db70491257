"""Our own messages, as Slack tells us of them: whether each one with buttons is recorded by now.

Whoever posts a message records it at once. So nothing is looked at for a moment, and then with one look at
each run. A message that is not recorded has lost who posted it: it is adopted.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from bot.core.errors import StoreUnavailable
from bot.surfaces.slack import actions
from bot.surfaces.slack.actions import Target
from bot.surfaces.slack.inbound.copies import Copies
from bot.surfaces.slack.inbound.payloads import Said
from bot.surfaces.slack.place import Posted
from bot.surfaces.slack.webapi.api import SlackApi

log = structlog.get_logger(__name__)

MOMENT = 0.5
"""Seconds in which whoever posted a message has recorded it; less than before a post is tried again."""
LAST_LOOK = 1.0
MOST = 10_000
"""Messages that are remembered while the store is away; further ones are adopted when they are pressed."""


class Strays:
    """Finds what of ours nobody recorded."""

    def __init__(self, copies: Copies, api: SlackApi) -> None:
        self._copies = copies
        self._api = api
        self._seen: dict[Posted, Target] = {}
        self._some = asyncio.Event()

    def notice(self, said: Said) -> None:
        """Slack told us of a message of ours. Nothing happens now: the acknowledgement doesn't wait."""
        target = target_of(said.blocks or ())
        if target is not None and said.channel and said.ts and len(self._seen) < MOST:
            self._seen[Posted(said.channel, said.ts)] = target
            self._some.set()

    async def run(self) -> None:
        """Adopt what is not recorded, for ever; at the end, what was noticed last."""
        try:
            while True:
                await self._some.wait()
                await asyncio.sleep(MOMENT)
                await self._api.give_way()
                await self._look()
        finally:
            try:
                async with asyncio.timeout(LAST_LOOK):
                    await self._look()
            except TimeoutError:
                log.info("some messages of ours were not looked at", messages=len(self._seen))

    async def _look(self) -> None:
        self._some.clear()
        seen, self._seen = self._seen, {}
        runs: dict[str, dict[Posted, Target]] = defaultdict(dict)
        for posted, target in seen.items():
            runs[target.run_id][posted] = target
        for run_id, found in runs.items():
            try:
                await self._copies.adopt_all(run_id, found)
            except StoreUnavailable:
                self._seen.update(found)
        if self._seen:
            self._some.set()


def target_of(blocks: tuple[Mapping[str, Any], ...]) -> Target | None:
    """What the buttons of a message are about: a question, or a run; None: neither.

    Every open question can be answered in words, and every live run cancelled.
    """
    for element in _elements(blocks):
        action_id, value = str(element.get("action_id", "")), str(element.get("value", ""))
        try:
            if action_id in {actions.RUN_CANCEL, actions.OPEN_REPLY}:
                return Target.decode(value)
        except ValueError:
            log.info("a button of ours holds something else", action_id=action_id)
    return None


def _elements(blocks: tuple[Mapping[str, Any], ...]) -> Iterator[Mapping[str, Any]]:
    for block in blocks:
        if block.get("type") == "actions":
            yield from block.get("elements") or ()
