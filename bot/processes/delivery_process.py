"""The delivery process of `serve`: started, restarted when it dies, and stopped with it.

Its standard input is the lifeline: it ends when `serve` does, however that happens. On its standard output it
reports what it counts, a JSON list of increments a line, so that `/metrics` of `serve` has all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence

import structlog
from pydantic import TypeAdapter

from bot.metrics import Increment, Metrics
from bot.processes import priority, worker_environment

log = structlog.get_logger(__name__)

FIRST_RESTART_DELAY_S = 0.5
MAX_RESTART_DELAY_S = 30.0
HEALTHY_AFTER_S = 30.0
"""A process that lived this long resets the restart delay."""
STOP_TIMEOUT_S = 6.0
"""Deliveries under way have 2 seconds. All of `serve` has to end within 10."""
NICENESS = 5
"""More than `serve` has: acknowledgements come first. Messages come before crews, whose workers have 15."""
_REPORT = TypeAdapter(list[Increment])
Process = asyncio.subprocess.Process


def command(console: str) -> tuple[str, ...]:
    """Its command line. `-P`: files in the current folder can't shadow modules."""
    return (sys.executable, "-P", "-m", "bot.commands.supervised_delivery", console)


class DeliverySupervisor:
    """Keeps one delivery process running."""

    def __init__(self, metrics: Metrics, console: str) -> None:
        """`console`: the address where people find the console."""
        self._metrics = metrics
        self._console = console
        self._process: Process | None = None
        self._asked_to_stop = False

    async def run(self) -> None:
        """Keep the process running until cancelled; then stop it."""
        pause = FIRST_RESTART_DELAY_S
        while not self._stopping():
            born = time.monotonic()
            try:
                status = await self._live(await self._started())
            except OSError as error:
                log.error("The delivery process could not be started", reason=str(error), in_seconds=pause)  # noqa: TRY400
            else:
                if self._stopping():
                    return
                if time.monotonic() - born >= HEALTHY_AFTER_S:
                    pause = FIRST_RESTART_DELAY_S
                self._metrics.delivery_restarts.inc()
                log.error("The delivery process died and is started again", status=status, in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_RESTART_DELAY_S)

    def _stopping(self) -> bool:
        return self._asked_to_stop

    def stop(self) -> None:
        """Ask the process to stop, and start no other. `run` has to be cancelled afterwards."""
        self._asked_to_stop = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once."""
        self._asked_to_stop = True
        self._signal(signal.SIGKILL)

    def _signal(self, which: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(which)

    async def _started(self) -> Process:
        starting = asyncio.ensure_future(_start(self._console))
        try:
            self._process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Cancelled halfway, asyncio would leave a child that nobody knows.
            with contextlib.suppress(OSError):
                unwanted = await starting
                unwanted.kill()
                await unwanted.wait()
            raise
        return self._process

    async def _live(self, process: Process) -> int:
        """Take its reports until it ends; returns its exit status, negative for a signal."""
        try:
            await self._take_reports(process)
            return await process.wait()
        except asyncio.CancelledError:
            self.stop()
            await _ended(process)
            raise

    async def _take_reports(self, process: Process) -> None:
        if process.stdout is None:
            raise RuntimeError("The process was started with a pipe.")
        while line := await process.stdout.readline():
            try:
                self._metrics.add(_REPORT.validate_json(line))
            except ValueError:
                log.warning("A report of the delivery process can't be read")


async def _start(console: str) -> Process:
    # It needs what serve has, the secrets of surfaces included; the keys of journals and of the API are no
    # part of delivery.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in worker_environment.WITHHELD_FROM_DELIVERY
    }
    process = await asyncio.create_subprocess_exec(
        *command(console),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        process_group=0,  # Ctrl-C must reach the parent only, which stops it.
    )
    priority.lower(process.pid, NICENESS)
    return process


async def _ended(process: Process) -> None:
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        log.warning("The delivery process did not stop in time and is ended", pid=process.pid)
        process.kill()
        await process.wait()


# ── seen from inside the process ────────────────────────────────────────────────────────────────────────────

REPORT_INTERVAL_S = 1.0
INCREMENTS_PER_LINE = 16
"""A line is shorter than what a pipe takes at once, all of it or nothing."""


class MetricsReporter:
    """What this process counts, for its parent."""

    def __init__(self, metrics: Metrics, descriptor: int) -> None:
        self._metrics = metrics
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)
        #: Lines that the pipe had no room for.
        self._unsent: list[bytes] = []

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            self.send()
            await asyncio.sleep(REPORT_INTERVAL_S)

    def send(self) -> None:
        """Report what is new. What the parent doesn't read is kept; a parent that is gone needs none."""
        if not self._unsent:
            self._unsent = _lines(self._metrics.increments())
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self._unsent:
                os.write(self._descriptor, self._unsent[0])
                del self._unsent[0]


def _lines(increments: Sequence[Increment]) -> list[bytes]:
    pages = range(0, len(increments), INCREMENTS_PER_LINE)
    return [json.dumps(increments[first : first + INCREMENTS_PER_LINE]).encode() + b"\n" for first in pages]
