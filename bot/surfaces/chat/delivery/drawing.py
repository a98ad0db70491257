"""Cards drawn so that none holds up the others: long ones in a thread, and one that fails as plain text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import structlog

from bot.surfaces.slack.cards.runcard import Message

log = structlog.get_logger(__name__)

Made = TypeVar("Made")

LONG = 4000
"""Characters from which a text is worked on in a thread: what takes a millisecond doesn't need one."""


async def off_the_loop(make: Callable[[], Made], size: int) -> Made:
    """What `make` makes of a text of this size, without holding up the event loop."""
    return await asyncio.to_thread(make) if size > LONG else make()


async def drawn(draw: Callable[[], Message], plainly: Message, *, run_id: str, size: int = 0) -> Message:
    """The card that `draw` makes; `plainly` if it can't, since it could not the next time either."""
    try:
        return await off_the_loop(draw, size)
    except Exception:
        log.exception("a card can't be drawn; plain text is shown instead", run_id=run_id)
        return plainly
