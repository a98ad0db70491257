"""`crewdeck serve`: run until somebody says stop, then stop everything."""

from __future__ import annotations

import asyncio
import signal
import sys

import structlog

from bot import logging
from bot.app import App, running
from bot.commands.announcement import announcement, trusted_line
from bot.settings import Settings
from bot.surfaces.console.surface import local_url

log = structlog.get_logger(__name__)

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""All mean stop: Ctrl-C, an operator or orchestrator, and the terminal that was closed."""


def serve_until_stopped(settings: Settings, version: str) -> int:
    """Run everything until a signal, and return the exit status.

    Raises SettingsError and StoreUnavailable if it can't start.
    """
    logging.configure(settings)
    return asyncio.run(_Serving(settings, version).until_stopped())


class _Serving:
    def __init__(self, settings: Settings, version: str) -> None:
        self._settings = settings
        self._version = version
        self._app: App | None = None
        self._asked = False

    async def until_stopped(self) -> int:
        work = asyncio.create_task(self._work())
        loop = asyncio.get_running_loop()
        for name in SIGNALS:
            if number := getattr(signal, name, None):
                loop.add_signal_handler(number, self._stop, work)
        try:
            await work
        except asyncio.CancelledError:
            if not self._asked:
                raise
            return 0
        except BaseExceptionGroup:
            log.exception("Something that must not stop has stopped")
            return 1
        return 0

    async def _work(self) -> None:
        async with running(self._settings) as self._app:
            sys.stdout.write(await self._announcement(self._app))
            sys.stdout.flush()
            await asyncio.Event().wait()

    async def _announcement(self, app: App) -> str:
        keys = await app.store.api_keys.locked()
        trust = app.trust
        return announcement(
            self._settings,
            app.url,
            self._version,
            console=f"{app.url}/" if keys else local_url(app.url, trust),
            trusted=trusted_line(self._settings, plain=trust.plain, token=bool(trust.token), keys=keys),
            notices=app.notices,
        )

    def _stop(self, work: asyncio.Task[None]) -> None:
        """The first time ask everything to stop. Whoever asks again doesn't want to wait for workers."""
        if self._app is not None:
            self._app.supervisor.kill() if self._asked else self._app.supervisor.stop()
        if not self._asked:
            self._asked = True
            log.info("Stopping")
            work.cancel()
