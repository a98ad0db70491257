"""The engine: a thread whose event loop waits for what runs wait for, and starts their own threads.

It is separate from the control loop, which must renew leases whatever happens here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from bot.core.runs.run import Claim
from crews.run.folder import Folders
from crews.run.lease import Lease
from crews.run.store_proxy import StoreProxy

if TYPE_CHECKING:
    from crews.building.build import Blueprint
    from crews.building.offer import Offer
    from crews.worker.runtime import Runtime

log = structlog.get_logger(__name__)


class EngineEnded(Exception):  # noqa: N818 - a signal, no error
    """The engine's thread has ended, so that it executes nothing any more."""


class Engine:
    """Runs one Runtime. Made on the control loop; its methods are called from there."""

    def __init__(
        self,
        load: Callable[[], Offer],
        store: StoreProxy,
        hot_window: float,
        hot_runs: int,
        build_timeout: float = 60.0,
        folders: Folders | None = None,
    ) -> None:
        self._load = load
        self._store = store
        self._hot_window = hot_window
        self._hot_runs = hot_runs
        self._build_timeout = build_timeout
        self._folders = folders
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runtime: Runtime | None = None
        self._loaded: Future[Offer] = Future()
        self._control = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._control.create_future()
        # A daemon thread: blocked code must not keep the process alive.
        self._thread = threading.Thread(target=self._live, name="crews", daemon=True)

    async def start(self) -> Offer:
        """Import crewai, load the crews and be ready for runs; takes seconds."""
        self._thread.start()
        return await asyncio.wrap_future(self._loaded)

    async def ended(self) -> None:
        """Return when the thread has ended unexpectedly: no run here can continue."""
        await asyncio.shield(self._ended)

    @property
    def leaked_threads(self) -> int:
        """The number of runs that are over here and still have threads."""
        return self._runtime.leaked_threads if self._runtime is not None else 0

    async def execute(self, claim: Claim, lease: Lease) -> None:
        """Execute a run until it is over here. Raises EngineEnded."""
        if self._ended.done():
            raise EngineEnded
        loop, runtime = self._ready()
        work = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(runtime.execute(claim, lease), loop))
        try:
            await asyncio.wait((work, self._ended), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            work.cancel()
            raise
        if self._ended.done() or work.cancelled():
            raise EngineEnded
        work.result()

    def stop(self, run_id: str) -> None:
        """End a run that is over, or another worker's."""
        self._call(lambda runtime: runtime.stop(run_id))

    def replace(self, crews: Mapping[str, Blueprint]) -> None:
        """Use these crews for runs that are executed from now on."""
        self._call(lambda runtime: runtime.replace(crews))

    def release_runs(self) -> None:
        """Park or give back all runs, each as soon as it can."""
        self._call(lambda runtime: runtime.release_runs())

    def _call(self, call: Callable[[Runtime], None]) -> None:
        loop, runtime = self._ready()
        with suppress(RuntimeError):  # The loop is closed: it has no runs.
            loop.call_soon_threadsafe(call, runtime)

    def _ready(self) -> tuple[asyncio.AbstractEventLoop, Runtime]:
        if self._loop is None or self._runtime is None:
            raise RuntimeError("the crews are not loaded yet")
        return self._loop, self._runtime

    def _live(self) -> None:
        try:
            offer = self._load()
        except BaseException as error:  # noqa: BLE001 - passed to the waiting caller
            self._loaded.set_exception(error)
            return
        with asyncio.Runner() as runner:
            try:
                runner.run(self._work(offer))
            except BaseException:
                log.exception("the event loop of the worker's engine has ended")
            finally:  # Before the runner cancels the runs.
                self._control.call_soon_threadsafe(self._ended.set_result, None)

    async def _work(self, offer: Offer) -> None:
        from crews.worker.runtime import Runtime  # crewai

        self._loop = asyncio.get_running_loop()
        self._runtime = Runtime(
            offer.crews,
            self._store,
            self._hot_window,
            self._hot_runs,
            self._build_timeout,
            self._folders,
        )
        self._loaded.set_result(offer)
        await asyncio.Event().wait()
