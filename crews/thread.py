"""The thread in which crews run, on an event loop of their own: CrewAI blocks its loop in places."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bot.core.model import Claim
from crews.hold import Hold
from crews.line import StoreLine

if TYPE_CHECKING:
    from crews.build import Blueprint
    from crews.runtime import Runtime

POOL = 512
"""Threads for CrewAI's synchronous parts. Delegated agents hold one each while they wait for people."""


class CrewThread:
    """Runs one Runtime. Made on the control loop; its methods are called from there."""

    def __init__(
        self, load: Callable[[], Mapping[str, Blueprint]], line: StoreLine, hot_window: float
    ) -> None:
        self._load = load
        self._line = line
        self._hot_window = hot_window
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runtime: Runtime | None = None
        self._loaded: Future[Mapping[str, Blueprint]] = Future()
        # A daemon: a thread inside a model call can't be interrupted, and must not keep the process.
        self._thread = threading.Thread(target=self._live, name="crews", daemon=True)

    async def start(self) -> Mapping[str, Blueprint]:
        """Import crewai, load the crews and be ready for runs; takes seconds."""
        self._thread.start()
        return await asyncio.wrap_future(self._loaded)

    def execute(self, claim: Claim, hold: Hold) -> asyncio.Future[None]:
        """Execute a run; the future is done when it is over."""
        loop, runtime = self._ready()
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(runtime.execute(claim, hold), loop))

    def stop(self, run_id: str) -> None:
        """End a run that is over, or another worker's."""
        loop, runtime = self._ready()
        loop.call_soon_threadsafe(runtime.stop, run_id)

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
            blueprints = self._load()
        except BaseException as error:  # noqa: BLE001 - handed to who waits for it
            self._loaded.set_exception(error)
            return
        asyncio.run(self._run(self._work(blueprints)))

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(POOL, thread_name_prefix="crew"))
        await work

    async def _work(self, blueprints: Mapping[str, Blueprint]) -> None:
        from crews.runtime import Runtime  # crewai

        self._runtime = Runtime(blueprints, self._line, self._hot_window)
        self._loaded.set_result(blueprints)
        await asyncio.Event().wait()
