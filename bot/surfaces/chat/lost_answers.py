"""Messages of which the platform's answer was lost: looked for, so that none is posted twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bot.surfaces.chat.failures import PlatformFailure, RetryLater

log = structlog.get_logger(__name__)

FURTHER_DELAYS_S = (2.0, 4.0)
"""Seconds before further looks, as long as none was answered: what lost an answer may lose these, too."""
MAX_RETRY_DELAY_S = 10.0
"""Where the platform says that it can be asked only later than this, nothing is looked for."""


async def look_for(search: Callable[[], Awaitable[str | None]], delays_s: Sequence[float]) -> str | None:
    """The id of the message that `search` finds; None if it is not there, or that can't be found out.

    `delays_s`: the seconds before each look. `search` raises RetryLater, Rejected.
    """
    answered = False
    for number, seconds in enumerate((*delays_s, *FURTHER_DELAYS_S)):
        if answered and number >= len(delays_s):
            break
        await asyncio.sleep(seconds)
        try:
            found = await search()
        except PlatformFailure as failure:
            log.info("a message could not be looked for", why=str(failure))
            if not isinstance(failure, RetryLater) or failure.seconds > MAX_RETRY_DELAY_S:
                return None
        else:
            answered = True
            if found:
                log.info("a message was posted although the answer was lost", message=found)
                return found
    return None
