"""The model calls of a run: each is counted towards the crew's limit, and recorded."""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools return anything
import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bot.core.json_text import too_deep
from bot.core.runs.run import RunError
from crews.journal.model_call import ModelCall, RecordedStep
from crews.journal.serialization import TooDeep
from crews.run.nondeterminism import NonDeterminism
from crews.run.recorded_steps import RecordedSteps
from crews.run.session import RunSession
from crews.run.token_usage import Spending, TokenUsage

MAX_UNWRITTEN_STEPS = 8
"""Steps that may be taken ahead of the journal."""
MAX_ANSWER_DEPTH = 200
"""Levels of lists and objects within each other that an answer may have, such as arguments of calls."""


class ModelCalls:
    """The model calls of one run. Called from any thread except the event loops' of the worker."""

    def __init__(self, run: RunSession, steps: RecordedSteps, nondeterminism: NonDeterminism) -> None:
        self._run = run
        self._steps = steps
        self._nondeterminism = nondeterminism
        self._journal = run.history.journal
        self._writer = run.writer
        self._lock = threading.Lock()
        #: The tokens that they used.
        self.usage = TokenUsage()
        self._counts: Counter[str] = Counter()
        #: The names of those that were counted.
        self._counted: set[str] = set()
        #: The last exception that came out of a model call, to tell such failures from others.
        self.last_failure: Exception | None = None

    def call(self, request: ModelCall, call: Callable[[], Any], spending: Spending | None = None) -> Any:
        """One call of a model; `spending` sees what it uses. Raises RunExit at the crew's limit."""
        step = self._begin(request)
        if step.recorded is not None:
            return self._recorded(step, request, spending)
        with self._steps.executing():
            with self._failure_recorded(step, spending):
                result = _recordable(call())
            return self._record(step, request, result, spending)

    async def call_async(
        self, request: ModelCall, call: Callable[[], Awaitable[Any]], spending: Spending | None = None
    ) -> Any:
        """As `call`, for a call that is awaited."""
        step = await asyncio.to_thread(self._begin, request)
        if step.recorded is not None:
            return self._recorded(step, request, spending)
        with self._steps.executing():
            with self._failure_recorded(step, spending):
                result = _recordable(await call())
            return self._record(step, request, result, spending)

    def count(self, scope: str) -> int:
        """The number of model calls in this scope, including those of its tools."""
        with self._lock:
            return sum(calls for each, calls in self._counts.items() if f"{each}/".startswith(f"{scope}/"))

    def set_count(self, scope: str, calls: int) -> None:
        """Count the model calls of an earlier execution that is not repeated."""
        with self._lock:
            self._counts[scope] = calls

    def _begin(self, request: ModelCall) -> RecordedStep:
        self._run.before_step()
        scope = self._run.identity.scope
        name = self._journal.model_call(scope, request.agent, *request.content)
        if not self._journal.is_seeded(name):
            self._add(scope, name)
        step = self._steps.find(name, "its model answered", request.answers_as)
        if step.recorded is None:
            self._nondeterminism.check(scope, request)
            self._wait_for_writer()
            self._run.check_lease()
        return step

    def _wait_for_writer(self) -> None:
        """Wait until results of tools are written, before they are used; model calls can be repeated.

        While Redis is away a limited number of further model calls is made.
        """
        if self._writer.has_urgent or self._writer.unwritten_steps >= MAX_UNWRITTEN_STEPS:
            self._writer.flush()

    def _recorded(self, step: RecordedStep, request: ModelCall, spending: Spending | None) -> Any:
        """The recorded result of a model call, or its recorded exception."""
        self.usage.count_replayed(step, spending)
        try:
            return step.result(request.answers_as)
        except Exception as error:
            self.last_failure = error
            raise

    def _record(self, step: RecordedStep, request: ModelCall, result: Any, spending: Spending | None) -> Any:
        """Record a result, with what was offered and used; returns it as a replay would."""
        more = request.offered | self.usage.count_made(step, spending)
        return self._steps.record(step, result, request.answers_as, more)

    @contextmanager
    def _failure_recorded(self, step: RecordedStep, spending: Spending | None) -> Iterator[None]:
        """Record what the call in the block raises, and raise it."""
        try:
            yield
        except Exception as error:
            self.last_failure = error
            told = self._steps.record_failure(step, error, self.usage.count_made(step, spending))
            if told is not error:
                raise told from error
            raise

    def _add(self, scope: str, name: str) -> None:
        """Count a model call towards the limit; once, however many attempts repeat it."""
        limit = self._run.limits.model_calls
        with self._lock:
            if name in self._counted:
                return
            self._counted.add(name)
            self._counts[scope] += 1
            over = limit is not None and self._counts.total() > limit
        if over:
            raise self._run.stop(
                RunError(
                    code="limit_model_calls",
                    message=f"Stopped: the crew wanted more than its limit of {limit} model calls.",
                )
            )


def _recordable(answer: Any) -> Any:
    """The answer. Raises TooDeep: cut off or as text it would be another one."""
    if too_deep(answer, MAX_ANSWER_DEPTH):
        raise TooDeep(f"What the model answered is nested more than {MAX_ANSWER_DEPTH} levels deep.")
    return answer
