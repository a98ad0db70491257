"""Keeps what an agent's executor does in one thread, that of its run.

CrewAI gives an executor an event loop of its own, calls its methods in other threads, one after the other,
and lets the loop wait for them: a run that waits for people would hold two or three threads. Here each method
is called where the loop runs. Nothing else runs on that loop, so it can stand still meanwhile.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any

from crewai.agents.agent_executor import AgentExecutor

from crews.crewai_adapter.execution.branches import context_of
from crews.run.context import CURRENT
from crews.run.threads import Raised, outcome_of


def install() -> None:
    """Patch the executor, once per process."""
    executor: Any = AgentExecutor
    if "_crewdeck_one_thread" in vars(executor):
        return
    executor.kickoff = _kickoff(executor.kickoff)
    executor.kickoff_async = _kickoff_async(executor.kickoff_async)
    executor._execute_method = _execute_method(executor._execute_method)  # noqa: SLF001 - a seam
    executor._crewdeck_one_thread = True  # noqa: SLF001


class _SameThreadExecutor(ThreadPoolExecutor):
    """The default executor of one loop: makes calls in the loop's own thread, as if no loop ran there."""

    def __init__(self) -> None:
        super().__init__()
        #: None until it is known.
        self.loop: asyncio.AbstractEventLoop | None = None
        self._beside = False

    @contextmanager
    def in_threads(self) -> Iterator[None]:
        """Calls that are wanted while the block runs are made in threads, beside each other."""
        self._beside = True
        try:
            yield
        finally:
            self._beside = False

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._beside:
            run = CURRENT.get()
            if run is None:
                return super().submit(call, *args, **kwargs)
            made = partial(call, *args, **kwargs)
            return run.activity.track_call(made, submit=super().submit, context=context_of(call))
        with _no_loop():
            outcome = outcome_of(partial(call, *args, **kwargs))
        done: Future[Any] = Future()
        if isinstance(outcome, Raised):
            done.set_exception(outcome.error)
        else:
            done.set_result(outcome.result)
        return done


_SAME_THREAD_EXECUTOR: ContextVar[_SameThreadExecutor | None] = ContextVar("crewdeck_in_place", default=None)


@contextmanager
def _no_loop() -> Iterator[None]:
    """Hide the running loop from this thread: what is called may run one itself (`asyncio.run`)."""
    loop = asyncio.get_running_loop()
    asyncio._set_running_loop(None)  # noqa: SLF001 - asyncio's own name for those who run loops
    asyncio.set_event_loop(None)
    try:
        yield
    finally:
        asyncio.set_event_loop(loop)
        asyncio._set_running_loop(loop)  # noqa: SLF001


def _kickoff(original: Callable[..., Any]) -> Callable[..., Any]:
    """`kickoff`, which makes a loop for this executor alone."""

    @wraps(original)
    def kickoff(executor: AgentExecutor, *args: Any, **kwargs: Any) -> Any:
        token = _SAME_THREAD_EXECUTOR.set(_SameThreadExecutor())
        try:
            return original(executor, *args, **kwargs)
        finally:
            _SAME_THREAD_EXECUTOR.reset(token)

    return kickoff


def _kickoff_async(
    original: Callable[..., Coroutine[Any, Any, Any]],
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """On somebody else's loop (`akickoff`) methods go to other threads, as CrewAI has it."""

    @wraps(original)
    async def kickoff_async(executor: AgentExecutor, *args: Any, **kwargs: Any) -> Any:
        in_place = _SAME_THREAD_EXECUTOR.get()
        if in_place is not None and in_place.loop is None:
            in_place.loop = asyncio.get_running_loop()
            in_place.loop.set_default_executor(in_place)
        return await original(executor, *args, **kwargs)

    return kickoff_async


def _execute_method(
    original: Callable[..., Coroutine[Any, Any, Any]],
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A method that is a coroutine has calls made beside each other: the steps of a plan."""

    @wraps(original)
    async def execute(
        executor: AgentExecutor, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        in_place = _SAME_THREAD_EXECUTOR.get()
        own = in_place is not None and in_place.loop is asyncio.get_running_loop()
        if in_place is None or not own or not asyncio.iscoroutinefunction(method):
            return await original(executor, name, method, *args, **kwargs)
        with in_place.in_threads():
            return await original(executor, name, method, *args, **kwargs)

    return execute
