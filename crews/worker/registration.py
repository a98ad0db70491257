"""A worker's registration: the crews that people can start, and those whose runs find a worker now."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Never

from bot.core.errors import StoreUnavailable
from bot.core.ports.store import Store
from bot.core.runs.crew import Crew, CrewProblem
from bot.processes.project_problems import source_of
from bot.settings import Settings
from bot.store.health import Outage

ANNOUNCE_INTERVAL_S = 60.0
STORE_RETRY_S = 1.0


class Registration:
    """Keeps one worker registered, with the crews that it runs. Used on the control loop only."""

    def __init__(
        self, settings: Settings, store: Store, worker: str, cards: Sequence[Crew], outage: Outage
    ) -> None:
        """`cards`: of the crews that are known before crewai is loaded."""
        self._settings = settings
        self._store = store
        self._worker = worker
        self._cards = cards
        self._problems: Sequence[CrewProblem] = ()
        self._outage = outage
        #: What is run here once it is loaded, and each crew's limit.
        self._limits: Mapping[str, int | None] = {}
        self._loaded = asyncio.Event()
        #: Set when there is something to announce before it is time again.
        self._changed = asyncio.Event()
        self._retired = False
        #: Set once the crews were announced for the first time.
        self.announced = asyncio.Event()

    def loaded(
        self,
        cards: Sequence[Crew],
        limits: Mapping[str, int | None],
        problems: Sequence[CrewProblem] = (),
    ) -> None:
        """All crews are loaded, perhaps again: these, with their limits; and why others can't be run."""
        self._cards, self._limits, self._problems = cards, limits, problems
        self._loaded.set()
        self._changed.set()

    def retire(self) -> None:
        """This worker claims no more runs, so it announces nothing: its successor may know other crews."""
        self._retired = True

    async def renew(self, room: int) -> None:
        """Renew the worker's offer, and room for so many runs, for another lease. Raises StoreUnavailable."""
        if self._loaded.is_set() and not self._settings.alone and not self._retired:
            await self._store.queue.register_worker(self._worker, self._limits, self._settings.lease, room)

    async def announce(self) -> Never:
        """Announce the crews: those of YAML at once, all once crewai is loaded, then periodically."""
        source = self._source()
        while True:
            complete = self._loaded.is_set()
            self._changed.clear()
            try:
                if not self._retired:
                    await self._store.catalogue.announce(
                        source, self._cards, complete=complete, problems=self._problems
                    )
            except StoreUnavailable as error:
                self._outage.began(error)
                await asyncio.sleep(STORE_RETRY_S)
            else:
                self.announced.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(ANNOUNCE_INTERVAL_S if complete else None):
                        await self._changed.wait()

    def _source(self) -> str:
        """What announces: this machine with its folders, or with the project."""
        if self._settings.project is not None:
            return source_of(self._settings.project)
        folders = ":".join(map(str, self._settings.crew_dirs))
        return f"{socket.gethostname()}:{hashlib.sha256(folders.encode()).hexdigest()[:12]}"
