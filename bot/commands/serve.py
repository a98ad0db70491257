"""`crewdeck serve`: run all services until a signal arrives, then stop them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import structlog

from bot import logging
from bot.app import App, running
from bot.commands.announcement import announcement, trusted_line
from bot.commands.unknown_settings import unknown_settings
from bot.core.project import Project
from bot.processes import garbage_collector
from bot.processes.start import stop_signals
from bot.settings import Settings
from bot.surfaces.console.surface import local_url

log = structlog.get_logger(__name__)


def serve_until_stopped(settings: Settings, version: str, projects: Sequence[Project]) -> int:
    """Run all services until a signal arrives; returns the exit status.

    Raises SettingsError and StoreUnavailable if the start fails.
    """
    logging.configure(settings)
    for each in unknown_settings():
        log.warning(each)
    return asyncio.run(_Serving(settings, version, projects).until_stopped())


class _Serving:
    def __init__(self, settings: Settings, version: str, projects: Sequence[Project]) -> None:
        self._settings = settings
        self._projects = projects
        self._version = version
        self._app: App | None = None
        self._asked = False

    async def until_stopped(self) -> int:
        work = asyncio.create_task(self._work())
        loop = asyncio.get_running_loop()
        for number in stop_signals():
            loop.add_signal_handler(number, self._stop, work)
        try:
            await work
        except asyncio.CancelledError:
            if not self._asked:
                raise
            return 0
        except BaseExceptionGroup:
            log.exception("A background task failed; shutting down")
            return 1
        return 0

    async def _work(self) -> None:
        async with running(self._settings, self._projects) as self._app:
            sys.stdout.write(await self._announcement(self._app))
            sys.stdout.flush()
            garbage_collector.freeze()
            await asyncio.Event().wait()

    async def _announcement(self, app: App) -> str:
        keys = await app.store.api_keys.locked()
        trust = app.trust
        return announcement(
            self._settings,
            self._projects,
            app.url,
            self._version,
            console=f"{app.url}/" if keys else local_url(app.url, trust),
            trusted=trusted_line(self._settings, plain=trust.local_only, token=bool(trust.token), keys=keys),
            notices=app.notices,
        )

    def _stop(self, work: asyncio.Task[None]) -> None:
        """Stop gracefully at the first signal; kill workers and delivery at the second."""
        if self._app is not None:
            self._app.kill() if self._asked else self._app.stop()
        if not self._asked:
            self._asked = True
            log.info("Stopping")
            work.cancel()
