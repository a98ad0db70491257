"""What goes on behind acknowledgements, and in threads that are read, until it is over."""

import asyncio
from typing import Any

from bot.core.ports.store import Store
from bot.surfaces.chat.inbound.catchup import CatchUpRound
from bot.surfaces.chat.inbound.starting import RunStarter
from bot.tasks import BackgroundTasks
from tests.waiting import WITHIN, eventually, pauses


async def finished(background: BackgroundTasks) -> None:
    """Return once nothing is left but to wait until a run's thread is open: nobody opens one here."""
    async with asyncio.timeout(WITHIN):
        for pause in pauses():
            if all(map(_waits_for_a_thread, background._running)):  # noqa: SLF001 - nothing else knows
                break
            await asyncio.sleep(pause)
    await background.drain(0)


async def caught_up(store: Store, surface: str) -> None:
    """Return once everything that was written in the threads unheard has been read and handled."""
    key = f"{surface}:catchup"

    async def done() -> bool:
        kept = await store.key_values.get(key)
        if not kept:
            return False
        round_ = CatchUpRound.model_validate_json(kept)
        return await store.key_values.get(f"{key}:{round_.id}:done") is not None

    await eventually(done)


def _waits_for_a_thread(task: asyncio.Task[Any]) -> bool:
    awaited: Any = task.get_coro()
    while awaited is not None:
        if getattr(awaited, "cr_code", None) is RunStarter.watch.__code__:
            return True
        awaited = getattr(awaited, "cr_await", None)
    return False
