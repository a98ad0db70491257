"""Every step of a run passes here: it is counted, may be stopped before, and is recorded.

Model calls (crews/crewai_adapter/llm.py) and tool calls (crews/crewai_adapter/executor.py) pass here as
functions. A step that the journal knows is not taken again: it returns the recorded result.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools return anything
import asyncio
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from pydantic import BaseModel

from bot.core import ids
from bot.core.run import RunError
from bot.core.text import valid_json
from bot.core.tool_call import sha256_of
from crews.definitions.tool_options import OnInterrupted
from crews.journal.exceptions import FAILED, read_error, write_error
from crews.journal.journal import INTENDED, PROMPT, TOOL
from crews.journal.model_call import ModelCall, RecordedStep
from crews.journal.serialization import Unreadable, encode
from crews.run import system_questions
from crews.run.identity import METHOD, task_scope
from crews.run.nondeterminism import NonDeterminism
from crews.run.questions import HumanQuestions
from crews.run.session import RunSession

MAX_UNWRITTEN_STEPS = 8
"""Steps that may be taken ahead of the journal."""
SKIPPED = (
    "Skipped: this call was interrupted before, so it may have happened. It was decided not to repeat it."
)

_WITHIN: ContextVar[str | None] = ContextVar("crewdeck_within_tool", default=None)
"""The tool call in whose course this happens."""


APPROVED_CALL = "let_through"
"""The part of a step's record that says which question let its call through."""


class CallRefused(Exception):  # noqa: N818 - a signal between a call's approval and the recorder
    """A call isn't made. `reason`: the result or exception in its place; None: it is asked about anew."""

    def __init__(self, reason: str | Exception | None) -> None:
        super().__init__(reason)
        self.reason = reason


class Approval(Protocol):
    """The approval that a call waits for."""

    def obtain(self, step: str, begun: int) -> None:
        """Return once this step's call, which was begun so often, may be made. Raises CallRefused, Leave."""

    @property
    def digests(self) -> tuple[str, str] | None:
        """The question that let the call through, and the digest of the call; None if nobody was asked."""


def _approved_call(approval: Approval | None, result: Any) -> dict[str, Any]:
    """What is recorded of the approval that a call had."""
    if approval is None or approval.digests is None:
        return {}
    question, call = approval.digests
    return {APPROVED_CALL: {"question": question, "call": call, "result": sha256_of(result)}}


class Recorder:
    """The recorder of one run. Called from any thread except the event loops' of the worker."""

    def __init__(self, run: RunSession, questions: HumanQuestions) -> None:
        self._run = run
        self._questions = questions
        self._journal = run.history.journal
        self._writer = run.writer
        self._nondeterminism = NonDeterminism(questions, self._journal, self._writer)
        self._lock = threading.Lock()
        self._model_calls: Counter[str] = Counter()
        #: The names of those that were counted.
        self._counted: set[str] = set()
        #: The last exception that came out of a model call, to tell such failures from others.
        self.model_failure: Exception | None = None

    # ── models ──────────────────────────────────────────────────────────────────────────────────────────

    def model_call(self, request: ModelCall, call: Callable[[], Any]) -> Any:
        """One call of a model. Raises Leave at the crew's limit."""
        step = self._begin_model(request)
        if step.recorded is not None:
            return self._answered(step, request)
        with self._working():
            try:
                result = call()
            except Exception as error:
                self._model_failed(step, error)
                raise
            return self._recorded(step, result, request.answers_as, more=request.offered)

    async def model_call_async(self, request: ModelCall, call: Callable[[], Awaitable[Any]]) -> Any:
        """The same for a call that is awaited."""
        step = await asyncio.to_thread(self._begin_model, request)
        if step.recorded is not None:
            return self._answered(step, request)
        with self._working():
            try:
                result = await call()
            except Exception as error:
                self._model_failed(step, error)
                raise
            return self._recorded(step, result, request.answers_as, more=request.offered)

    def _begin_model(self, request: ModelCall) -> RecordedStep:
        self._run.before_step()
        scope = self.scope
        name = self._journal.model_call(scope, request.agent, *request.content)
        if not self._journal.kept(name):
            self._count(scope, name)
        step = self._readable(
            RecordedStep(name, self._journal.found(name)), "its model answered", request.answers_as
        )
        if step.recorded is None:
            self._nondeterminism.check(scope, request)
            self._keep_up()
            self._run.check_lease()
        return step

    def _keep_up(self) -> None:
        """Wait until results of tools are written, before they are used; model calls can be repeated.

        While Redis is away a limited number of further model calls is made.
        """
        if self._writer.has_urgent or self._writer.unwritten_steps >= MAX_UNWRITTEN_STEPS:
            self._writer.flush()

    def _answered(self, step: RecordedStep, request: ModelCall) -> Any:
        """The recorded result of a model call, or its recorded exception."""
        try:
            return step.result(request.answers_as)
        except Exception as error:
            self.model_failure = error
            raise

    def _model_failed(self, step: RecordedStep, error: Exception) -> None:
        self.model_failure = error
        self._failed(step, error)

    def _failed(self, step: RecordedStep, error: Exception, *, now: bool = False, **more: Any) -> None:
        """Record a failure like a result, so that CrewAI handles it the same way in a replay.

        Raises the same with valid words, if its own aren't.
        """
        written = self._note(step.name, {**write_error(error), **more}, now=now)
        if str(error) != written[FAILED]:
            raise read_error(written) from error

    def _count(self, scope: str, name: str) -> None:
        """Count a model call towards the limit; once, however many attempts repeat it."""
        limit = self._run.limits.model_calls
        with self._lock:
            if name in self._counted:
                return
            self._counted.add(name)
            self._model_calls[scope] += 1
            over = limit is not None and self._model_calls.total() > limit
        if over:
            raise self._run.stop(
                RunError(
                    code="limit_model_calls",
                    message=f"Stopped: the crew wanted more than its limit of {limit} model calls.",
                )
            )

    def model_calls(self, scope: str) -> int:
        """The number of model calls in this scope, including those of its tools."""
        with self._lock:
            return sum(
                calls for each, calls in self._model_calls.items() if f"{each}/".startswith(f"{scope}/")
            )

    def set_model_calls(self, scope: str, calls: int) -> None:
        """Count the model calls of an earlier execution that is not repeated."""
        with self._lock:
            self._model_calls[scope] = calls

    # ── tools ───────────────────────────────────────────────────────────────────────────────────────────

    def tool_call(
        self,
        name: str,
        arguments: dict[str, Any],
        call: Callable[[], Any],
        on_interrupted: OnInterrupted = "ask",
        approval: Approval | None = None,
    ) -> Any:
        """One call of a tool other than ask_human. A recorded one needs no approval again.

        Raises Leave where the call may have happened before, and nobody wants it again.
        """
        self._run.before_step()
        step_name = self._journal.name(self.scope, TOOL, name, arguments)
        found = RecordedStep(step_name, self._journal.found(step_name))
        step = self._readable(found, f"the tool “{name}” returned")
        if step.recorded is not None:
            self.set_model_calls(step_name, step.recorded.get("model_calls", 0))
            self._executed(step.recorded)
            return step.result()
        begun = self._journal.intended(step_name) if found.recorded is None else 0
        if begun and self._journal.first_begun(step_name) and on_interrupted == "fail":
            on_interrupted = "ask"  # The run failed because of `fail`; its retry asks instead.
        if begun and not self._again(name, f"{step_name}/{begun}", on_interrupted):
            return self._recorded(step, SKIPPED)
        while True:
            try:
                if approval is not None:
                    approval.obtain(step_name, begun)
                return self._made(step, call, begun, approval)
            except CallRefused as error:
                if error.reason is None:  # Ask again, as another call.
                    begun += 1
                    continue
                return self._refused(step, error.reason)

    def _made(
        self, step: RecordedStep, call: Callable[[], Any], begun: int, approval: Approval | None
    ) -> Any:
        """Make a call that is let through, and record what it comes to."""
        with self._working():
            self._writer.write(step.name + INTENDED, str(begun + 1))
            self._writer.flush()
            self._run.check_lease()
            within = _WITHIN.set(step.name)
            try:
                result = call()
            except CallRefused:
                raise
            except Exception as error:
                more = {**self._calls_in(step), **_approved_call(approval, write_error(error))}
                self._failed(step, error, now=True, **more)
                self._executed(more)
                raise
            finally:
                _WITHIN.reset(within)
            more = {**self._calls_in(step), **_approved_call(approval, encode(result))}
            recorded = self._recorded(step, result, more=more, now=True)
        self._executed(more)
        return recorded

    def _refused(self, step: RecordedStep, reason: str | Exception) -> Any:
        """Record that a call was not let through: as its result, or as its failure."""
        if isinstance(reason, Exception):
            self._failed(step, reason, now=True)
            raise reason
        return self._recorded(step, reason, now=True)

    def _executed(self, recorded: Mapping[str, Any]) -> None:
        """Record with the question that its call was made; a worker may have died before that."""
        made = recorded.get(APPROVED_CALL)
        if made is not None:
            self._run.record_executed(made["question"], made["call"], made["result"])

    def _calls_in(self, step: RecordedStep) -> dict[str, int]:
        """The model calls inside of the tool; they count towards the limit also when it is replayed."""
        calls = self.model_calls(step.name)
        return {"model_calls": calls} if calls else {}

    def _again(self, tool: str, key: str, on_interrupted: OnInterrupted) -> bool:
        """Whether to repeat a call that started before and may have happened."""
        match on_interrupted:
            case "retry":
                return True
            case "fail":
                raise self._run.stop(system_questions.interrupted_error(tool))
            case "ask":
                return system_questions.ask_whether_to_repeat(self._questions, tool, key)

    def delegated(self, call: Callable[[], Any]) -> Any:
        """Run a tool that delegates to another agent, whose steps are recorded one by one."""
        self._run.before_step()
        with self._nondeterminism.delegation():
            return call()

    def idempotency_key(self) -> str | None:
        """A name for the tool call, or else the flow's method, in whose course this is asked.

        It is the same if that is called again.
        """
        method = METHOD.get()
        within = _WITHIN.get() or (method.scope if method is not None else None)
        if within is None:
            return None
        return ids.part_id(self._journal.first_begun(within) or self._run.run_id, "call", within)

    # ── prompts ─────────────────────────────────────────────────────────────────────────────────────────

    def find_prompt(self, *content: object) -> tuple[str, list[Any] | None]:
        """An agent's prompt is about to be rendered: its name, and what was rendered before."""
        self._run.before_step()
        name = self._journal.name(self.scope, PROMPT, *content)
        return name, self._journal.found(name)

    def record_prompt(self, name: str, messages: list[Any]) -> list[Any]:
        """Dates, memory and edited texts may be in it: what was rendered once stays as it is.

        Returns the messages with valid texts.
        """
        said: list[Any] = [valid_json(each) for each in messages]
        written = json.dumps(said, default=str)
        self._writer.write(name, written)
        self._journal.recorded(name, json.loads(written))
        return said

    # ── all of them ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def scope(self) -> str:
        """The scope of the current step: the tool call or the task that it is part of."""
        within = _WITHIN.get()
        if within is not None:
            return within
        part = self._run.identity.task(None)
        return part.scope if part is not None else task_scope(0)

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._run.activity.step():
            self._run.check()
            yield

    def _readable(
        self, step: RecordedStep, what: str, expected: type[BaseModel] | None = None
    ) -> RecordedStep:
        """The step; one to be taken again, where a class has changed and its result can't be read.

        The requester says whether it is. Raises Leave if not.
        """
        if step.recorded is None or FAILED in step.recorded:
            return step
        try:
            step.result(expected)
        except Unreadable as error:
            changed = f"what {what} can't be read any more, since {error}."
            system_questions.confirm_nondeterminism(
                self._questions, changed, f"unreadable/{step.name}", kept="That step is taken again."
            )
            return RecordedStep(step.name)
        return step

    def _recorded(
        self,
        step: RecordedStep,
        result: Any,
        expected: type[BaseModel] | None = None,
        more: Mapping[str, Any] | None = None,
        *,
        now: bool = False,
    ) -> Any:
        """Record the result and return it as a replay would return it."""
        written = self._note(step.name, {"result": encode(result, expected), **(more or {})}, now=now)
        return RecordedStep(step.name, written).result(expected)

    def _note(self, name: str, value: dict[str, Any], *, now: bool = False) -> Any:
        """Record a value; return it as it will be read, without waiting until it is written."""
        written = json.dumps(value)
        (self._writer.write_at_once if now else self._writer.write)(name, written)
        read = json.loads(written)
        self._journal.recorded(name, read)
        return read
