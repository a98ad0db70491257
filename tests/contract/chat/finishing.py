"""What goes on behind acknowledgements, until it is over."""

import asyncio
from typing import Any

from bot.surfaces.chat.inbound.starting import RunStarter
from bot.tasks import BackgroundTasks
from tests.waiting import WITHIN, pauses


async def finished(background: BackgroundTasks) -> None:
    """Return once nothing is left but to wait until a run's thread is open: nobody opens one here."""
    async with asyncio.timeout(WITHIN):
        for pause in pauses():
            if all(map(_waits_for_a_thread, background._running)):  # noqa: SLF001 - nothing else knows
                break
            await asyncio.sleep(pause)
    await background.drain(0)


def _waits_for_a_thread(task: asyncio.Task[Any]) -> bool:
    awaited: Any = task.get_coro()
    while awaited is not None:
        if getattr(awaited, "cr_code", None) is RunStarter.watch.__code__:
            return True
        awaited = getattr(awaited, "cr_await", None)
    return False
