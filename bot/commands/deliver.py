"""`crewdeck deliver`: send what is to be sent to chat platforms and webhooks, until a signal arrives."""

from __future__ import annotations

import asyncio
import sys

import structlog

from bot import logging
from bot.core.errors import SettingsError
from bot.core.wakeups import Wakeups
from bot.delivery import delivering
from bot.metrics import Metrics
from bot.processes import garbage_collector
from bot.processes.delivery_process import STOP_TIMEOUT_S, MetricsReporter
from bot.processes.start import stop_signals
from bot.processes.worker_process import Lifeline
from bot.settings import Settings
from bot.store.open import open_configured
from bot.surfaces.chat.connection import ProcessServices
from bot.surfaces.chat.flow_control import AckPriority
from bot.tasks import run_alongside

log = structlog.get_logger(__name__)


def deliver_until_stopped(settings: Settings, console: str, *, supervised: bool = False) -> int:
    """Deliver until a signal arrives; returns the exit status.

    `console`: the address where people find the console. `supervised`: by `serve`, at the other ends of
    standard input and output. Raises SettingsError and StoreUnavailable if the start fails.
    """
    if not settings.delivers:
        raise SettingsError(
            "There is nothing to deliver to: set up Slack, Teams or CREWDECK_WEBHOOKS (docs/settings.md)."
        )
    logging.configure(settings)
    return asyncio.run(_until_stopped(settings, console, supervised=supervised))


async def _until_stopped(settings: Settings, console: str, *, supervised: bool) -> int:
    work = asyncio.create_task(_work(settings, console, supervised=supervised))
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, _stop, work)
    if supervised:
        Lifeline(STOP_TIMEOUT_S)
    try:
        await work
    except asyncio.CancelledError:
        return 0
    except BaseExceptionGroup:
        log.exception("A background task failed; shutting down")
        return 1
    return 0


def _stop(work: asyncio.Task[None]) -> None:
    """Stop once: `serve` asks several times, and a second cancellation would cut the end short."""
    if not work.cancelling():
        work.cancel()


async def _work(settings: Settings, console: str, *, supervised: bool) -> None:
    wakeups, metrics = Wakeups(), Metrics()
    reports = MetricsReporter(metrics, sys.stdout.fileno()) if supervised else None
    try:
        async with (
            open_configured(settings) as store,
            # The clock is kept by web processes and workers.
            run_alongside(wakeups.follow(store.events), *([reports.run()] if reports else [])),
            delivering(ProcessServices(settings, store, wakeups, metrics, AckPriority(), console)),
        ):
            garbage_collector.freeze()
            log.info("delivering")
            await asyncio.Event().wait()
    finally:
        if reports is not None:
            reports.send()
