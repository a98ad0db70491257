"""`crewdeck worker` and the workers of `serve`: one worker, from its store to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.store import Store
from bot.core.wakeups import Wakeups
from bot.processes.start import stop_signals
from bot.processes.worker_process import Lifeline
from bot.settings import Settings
from bot.store.health import Outage
from bot.store.open import open_configured
from crews.definitions.defined_crews import DefinedCrews, read
from crews.worker.worker import RELEASE_TIMEOUT_S, STORE_RETRY_S, Worker

log = structlog.get_logger(__name__)


class End(Enum):
    """How a worker ended."""

    #: It was stopped, or has done its part.
    WELL = "well"
    #: It broke.
    BROKEN = "broken"
    #: The code of its crews was edited, and nobody else starts a worker that has it.
    OUTDATED = "outdated"


async def serve(settings: Settings) -> End:
    """Be a worker until a signal, recycling or an edit of its code. Raises SettingsError."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, stopped.set)
    lifeline = Lifeline(settings.drain + RELEASE_TIMEOUT_S) if settings.worker_id is not None else None
    known = read(settings.crew_dirs) if settings.project is None else DefinedCrews()
    for problem in known.problems:
        log.error("a crew's definition is broken", problem=str(problem))
    async with _store(settings, stopped) as store:
        if store is not None:
            worker = Worker(settings, store, Wakeups(), known, lifeline)
            telling = asyncio.create_task(_tell(worker, stopped))
            sound = await worker.run()
            telling.cancel()
            if worker.outdated and lifeline is None and not stopped.is_set():
                return End.OUTDATED
            return End.WELL if sound else End.BROKEN
    return End.WELL


async def _tell(worker: Worker, stopped: asyncio.Event) -> None:
    await stopped.wait()
    worker.stop()


@asynccontextmanager
async def _store(settings: Settings, stopped: asyncio.Event) -> AsyncIterator[Store | None]:
    """The store, however long it takes to come up; None if we are stopped before."""
    outage = Outage()
    async with AsyncExitStack() as stack:
        while not stopped.is_set():
            try:
                store = await stack.enter_async_context(open_configured(settings))
            except StoreUnavailable as error:
                outage.began(error)
                await asyncio.sleep(STORE_RETRY_S)
            else:
                yield store
                return
        yield None
