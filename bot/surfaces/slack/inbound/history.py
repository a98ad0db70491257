"""Reads threads in Slack for what was written in them while nobody received it.

A message that was edited since is left out: it no longer says what it said when it was written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from bot.surfaces.chat.inbound.catchup import HistoryStart
from bot.surfaces.chat.inbound.ports import IncomingMessage
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.slack.inbound.event_payloads import MessageEvent, incoming
from bot.surfaces.slack.webapi.installation import SlackInstallation

log = structlog.get_logger(__name__)

CLOCK_SKEW_S = 2.0
"""Slack's clock may be this far behind the store's."""


class Threads(Protocol):
    """Slack's API for threads."""

    async def replies(self, channel: str, thread_ts: str, oldest: str) -> Sequence[Mapping[str, Any]]:
        """The messages of a thread that are later than `oldest`. Raises RetryLater, Rejected."""


class SlackThreadHistory:
    """Threads of one workspace."""

    def __init__(self, threads: Threads, installation: SlackInstallation) -> None:
        self._threads = threads
        self._installation = installation

    async def replies(self, place: ChatPlace, since: HistoryStart) -> list[IncomingMessage]:
        """What was written since then. Raises RetryLater, Rejected."""
        messages = await self._threads.replies(place.channel, place.thread or "", _oldest(since))
        return list(self._messages(place, messages))

    def _messages(self, place: ChatPlace, messages: Sequence[Mapping[str, Any]]) -> Iterable[IncomingMessage]:
        for message in messages:
            if message.get("edited"):
                continue
            try:
                said = MessageEvent.model_validate({**message, "channel": place.channel, "type": "message"})
            except ValidationError as error:
                log.warning("a message doesn't have Slack's format", problems=error.error_count())
                continue
            yield incoming(said, place.tenant, self._installation.user)


def _oldest(since: HistoryStart) -> str:
    """Slack's `oldest`: a message's id is when it was posted, by Slack's own clock."""
    asked = [f"{since.asked_at - CLOCK_SKEW_S:.6f}"] if since.asked_at < math.inf else []
    return min([*since.shown, *asked], key=Decimal)
