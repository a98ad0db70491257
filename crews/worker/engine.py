"""The engine: a thread whose event loop waits for what runs wait for, and starts their own threads.

It is separate from the control loop, which must renew leases whatever happens here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING

import structlog

from bot.core.run import Claim
from crews.run.folder import Folders
from crews.run.lease import Lease
from crews.run.store_proxy import StoreProxy

if TYPE_CHECKING:
    from crews.building.build import Blueprint
    from crews.building.offer import Offer
    from crews.worker.runtime import Runtime

log = structlog.get_logger(__name__)


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
        self._ended: Future[None] = Future()
        # A daemon thread: blocked code must not keep the process alive.
        self._thread = threading.Thread(target=self._live, name="crews", daemon=True)

    async def start(self) -> Offer:
        """Import crewai, load the crews and be ready for runs; takes seconds."""
        self._thread.start()
        return await asyncio.wrap_future(self._loaded)

    async def ended(self) -> None:
        """Return when the thread has ended unexpectedly: no run here can continue."""
        await asyncio.wrap_future(self._ended)

    @property
    def leaked_threads(self) -> int:
        """The number of runs that are over here and still have threads."""
        return self._runtime.leaked_threads if self._runtime is not None else 0

    def execute(self, claim: Claim, lease: Lease) -> asyncio.Future[None]:
        """Execute a run; the future is done when it is over."""
        loop, runtime = self._ready()
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(runtime.execute(claim, lease), loop))

    def stop(self, run_id: str) -> None:
        """End a run that is over, or another worker's."""
        loop, runtime = self._ready()
        loop.call_soon_threadsafe(runtime.stop, run_id)

    def replace(self, crews: Mapping[str, Blueprint]) -> None:
        """Use these crews for runs that are executed from now on."""
        loop, runtime = self._ready()
        loop.call_soon_threadsafe(runtime.replace, crews)

    def hand_back(self) -> None:
        """Park or give back all runs, each as soon as it can."""
        loop, runtime = self._ready()
        loop.call_soon_threadsafe(runtime.hand_back)

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
        try:
            asyncio.run(self._work(offer))
        except BaseException:
            log.exception("the event loop of the worker's engine has ended")
        finally:
            self._ended.set_result(None)

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
