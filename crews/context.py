"""What a run carries with it while CrewAI executes it, for tools, model calls and listeners to find."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, TypeVar

from crewai import Task
from crewai.agents.agent_builder.base_agent import BaseAgent

from bot.core import ids
from bot.core.model import Claim, RunError
from crews.definition import Limits
from crews.desk import Announcer, Asking, Desk
from crews.line import StoreLine
from crews.parts import Parts
from crews.signals import Stopped
from crews.stopwatch import Stopwatch

T = TypeVar("T")

CURRENT: ContextVar[RunContext | None] = ContextVar("crewdeck_run", default=None)
"""The run that this task or thread works for; None outside of runs."""


class RunContext:
    """One run in the hands of this worker. Its methods may be called from any thread."""

    def __init__(self, claim: Claim, limits: Limits, line: StoreLine, announcer: Announcer) -> None:
        self.claim = claim
        self.loop = loop = asyncio.get_running_loop()
        self.limits = limits
        #: Known once the crew is built.
        self.parts = Parts(claim.run.id)
        #: Where questions are put to people.
        self.desk = Desk(self, line, announcer)
        self.stopwatch = Stopwatch(loop, limits.time, self._out_of_time)
        #: Set at the run's first step: it has got through its start.
        self.begun = asyncio.Event()
        #: What every model call and tool call passes through.
        self.steps = Steps(self)
        #: Ends the run's task; set by who started it.
        self.interrupt: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._stopped: Stopped | None = None
        self._waits: set[asyncio.Task[Any]] = set()
        self._seen: Counter[tuple[object, ...]] = Counter()

    @property
    def run_id(self) -> str:
        return self.claim.run.id

    @property
    def crew_id(self) -> str:
        return ids.part_id(self.run_id, "crew")

    @property
    def stopped(self) -> Stopped | None:
        """Why the run is to end, once it is."""
        return self._stopped

    def check(self) -> None:
        """Raises Stopped if the run is to end: called before each step."""
        if self._stopped is not None:
            raise Stopped(self._stopped.error)

    def stop(self, error: RunError | None = None) -> Stopped:
        """End the run, with `error` or because it is over; who calls first decides. The signal to raise."""
        with self._lock:
            first = self._stopped is None
            reason = self._stopped = self._stopped or Stopped(error)
        if first:
            self.loop.call_soon_threadsafe(self._interrupt)
        return Stopped(reason.error)

    def entered(self) -> None:
        """The run has got through its start."""
        if not self.begun.is_set():
            self.loop.call_soon_threadsafe(self.begun.set)

    def occurrence(self, *content: object) -> int:
        """How often this content has come up before in this run."""
        with self._lock:
            self._seen[content] += 1
            return self._seen[content] - 1

    def asking_of(self, task: Task | None, agent: BaseAgent | None, asking: Asking) -> Asking:
        """A question with the task and the agent that it comes from."""
        return replace(
            asking,
            task=self.parts.task(task),
            agent_id=self.parts.agent_id(agent),
            asker=agent.role.strip() if agent is not None else "",
        )

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something slow, from any loop, that ends at once when the run is stopped. Raises Stopped."""
        if asyncio.get_running_loop() is self.loop:
            return await self._wait(work)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._wait(work), self.loop))

    def wait_in_thread(self, work: Coroutine[Any, Any, T]) -> T:
        """The same for code that can't await: it holds its thread, which must not be the crews' loop."""
        return asyncio.run_coroutine_threadsafe(self._wait(work), self.loop).result()

    async def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._stopped is not None:
            work.close()
            self.check()
        task = asyncio.create_task(work)
        self._waits.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            task.cancel()
            self.check()
            raise
        finally:
            self._waits.discard(task)

    def _interrupt(self) -> None:
        for wait in tuple(self._waits):
            wait.cancel()
        self.stopwatch.close()
        self.interrupt()

    def _out_of_time(self) -> None:
        self.stop(
            RunError(
                code="limit_time",
                message=f"Stopped: the crew worked more than {_spoken(self.limits.time or 0)}, its limit.",
            )
        )


class Steps:
    """What every step of a run goes through: one place to count it, to stop before it, and to remember it.

    Model calls (crews/seams.py) and tool calls (crews/executor.py) pass here as thunks: who records what a
    run has done decides here whether a step has to be taken at all.
    """

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._model_calls = 0
        #: The last exception that came out of a model call, to tell such failures from others.
        self.model_failure: Exception | None = None

    def model(self, call: Callable[[], T]) -> T:
        """One call of a model. Raises Stopped at the crew's limit."""
        self._take()
        self._count()
        try:
            return call()
        except Exception as error:
            self.model_failure = error
            raise

    def tool(self, name: str, arguments: dict[str, Any], call: Callable[[], T]) -> T:  # noqa: ARG002 - what a step is known by
        """One call of a tool other than ask_human."""
        self._take()
        return call()

    def prompt(self) -> None:
        """An agent's prompt is about to be rendered."""
        self._take()

    def _take(self) -> None:
        self._run.check()
        self._run.entered()

    def _count(self) -> None:
        limit = self._run.limits.model_calls
        with self._lock:
            self._model_calls += 1
            over = limit is not None and self._model_calls > limit
        if over:
            raise self._run.stop(
                RunError(
                    code="limit_model_calls",
                    message=f"Stopped: the crew wanted more than its limit of {limit} model calls.",
                )
            )


def _spoken(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (left, "s")) if n]
    return " ".join(parts)
