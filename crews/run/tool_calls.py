"""The tool calls of a run: each is approved where that is needed, made once, and recorded."""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools return anything
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from bot.core import ids
from bot.core.ports.journal import STARTED_SUFFIX, TOOL
from bot.core.questions.tool_call import sha256_of
from crews.definitions.tool_options import OnInterrupted
from crews.journal.exceptions import write_error
from crews.journal.journal import CACHE_PREFIX, CACHED, original_step_name
from crews.journal.model_call import RecordedStep
from crews.journal.occurrences import DUPLICATE_CALL
from crews.journal.serialization import encode
from crews.run import system_questions
from crews.run.identity import METHOD, TOOL_SCOPE
from crews.run.model_calls import ModelCalls
from crews.run.questions import HumanQuestions
from crews.run.recorded_steps import RecordedSteps, unchanged

SKIPPED = (
    "Skipped: this call was interrupted before, so it may have happened. It was decided not to repeat it."
)
APPROVED_CALL = "let_through"
"""The part of a step's record that says which question let its call through."""


def approval_key(step: str, begun: int, number: int = 0) -> str:
    """The key of the question whether a call may be made that was begun so often.

    `number`: how often it was asked about since, because it turned out to be another one.
    """
    return f"gate/{step}/{begun}/{number}"


class CallRefused(Exception):  # noqa: N818 - a signal between a call's approval and the recorder
    """A call isn't made. `reason`: the result or exception in its place; None: it is asked about anew."""

    def __init__(self, reason: str | Exception | None) -> None:
        super().__init__(reason)
        self.reason = reason


class Approval(Protocol):
    """The approval that a call waits for."""

    def obtain(self, step: str, begun: int) -> None:
        """Return once this step's call, begun so often, may be made. Raises CallRefused, RunExit."""

    @property
    def digests(self) -> tuple[str, str] | None:
        """The question that let the call through, and the digest of the call; None if nobody was asked."""


def _approved_call(approval: Approval | None, result: Any) -> dict[str, Any]:
    """What is recorded of the approval that a call had."""
    if approval is None or approval.digests is None:
        return {}
    question, call = approval.digests
    return {APPROVED_CALL: {"question": question, "call": call, "result": sha256_of(result)}}


class ToolCalls:
    """The tool calls of one run. Called from any thread except the event loops' of the worker."""

    def __init__(self, questions: HumanQuestions, steps: RecordedSteps, models: ModelCalls) -> None:
        self._questions = questions
        self._run = questions.run
        self._steps = steps
        self._models = models
        self._journal = self._run.history.journal
        self._writer = self._run.writer

    def call(  # noqa: PLR0913 - what a call is made of
        self,
        name: str,
        arguments: dict[str, Any],
        call: Callable[[], Any],
        on_interrupted: OnInterrupted = "ask",
        approval: Approval | None = None,
        *,
        known_by: Sequence[dict[str, Any]] = (),
        failed: Exception | None = None,
        read: Callable[[Any], Any] = unchanged,
    ) -> Any:
        """One call of a tool other than ask_human. A recorded one needs no approval again.

        `known_by`: what the journal may know the call by, if not by its arguments.
        `failed`: what the call failed with that CrewAI makes once more. That is raised again in place of a
        call, except where this one is known: earlier releases made it.
        `read`: what the caller makes of the result. Raises Unreadable.
        Raises RunExit where the call may have happened before, and nobody wants it again.
        """
        self._run.before_step()
        step_name = self._step_name(name, known_by or [arguments])
        step = self._steps.find(step_name, f"the tool “{name}” returned", read=read)
        if step.recorded is not None:
            self._models.set_count(step.name, step.recorded.get("model_calls", 0))
            self._record_executed(step.recorded)
            return step.result()
        if failed is not None and not self._known(step.name):
            raise failed
        begun = self._journal.starts_without_result(step.name)
        if begun and self._journal.seeded_start(step.name) and on_interrupted == "fail":
            on_interrupted = "ask"  # The run failed because of `fail`; its retry asks instead.
        if begun and not self._repeats(name, f"{step.name}/{begun}", on_interrupted):
            return self._steps.record(step, SKIPPED)
        return self._make_if_approved(step, call, begun, approval)

    def _step_name(self, tool: str, known_by: Sequence[dict[str, Any]]) -> str:
        """The name of the call's step: the one that the journal knows, or the first."""
        contents = ((tool, each) for each in known_by)
        names = self._journal.names(self._run.identity.scope, TOOL, *contents)
        return names[0] if len(names) == 1 else next(filter(self._known, names), names[0])

    def cached(self, tool: str, given: str, look: Callable[[], Any], cache: str | None) -> Any:
        """What CrewAI's cache knows of a call, or knew when it was first asked: None if nothing.

        `cache`: the name of one whose results are kept.
        """
        name = self._journal.name(self._run.identity.scope, CACHED, tool, given)
        step = self._steps.find(name, f"the tool “{tool}” returned")
        if step.recorded is not None:
            return step.result()
        known = look()
        if known is None and cache is not None:
            kept = self._kept(cache, tool, given)
            known = kept.result() if kept.recorded is not None else None
        return self._steps.record(step, known)

    def keep(self, tool: str, given: str, result: Any, cache: str) -> None:
        """Record what was added to the cache with this name: later tasks use it, too."""
        kept = self._kept(cache, tool, given)
        if kept.recorded is None:
            self._steps.record(kept, result)

    def _kept(self, cache: str, tool: str, given: str) -> RecordedStep:
        name = f"{CACHE_PREFIX}{cache}/{self._journal.fingerprint(tool, given)}"
        return self._steps.find(name, f"the tool “{tool}” returned")

    def idempotency_key(self) -> str | None:
        """A name for the tool call, or else the flow's method, that calls this.

        It is the same if that is called again.
        """
        method = METHOD.get()
        scope = TOOL_SCOPE.get() or (method.scope if method is not None else None)
        if scope is None:
            return None
        first = original_step_name(scope)
        return ids.part_id(self._journal.seeded_start(first) or self._run.run_id, "call", first)

    def _known(self, step_name: str) -> bool:
        """Whether this call was recorded, begun, or asked about before."""
        return (
            self._journal.found(step_name) is not None
            or self._journal.starts_without_result(step_name) > 0
            or self._questions.was_asked(approval_key(step_name, 0))
        )

    def _make_if_approved(
        self, step: RecordedStep, call: Callable[[], Any], begun: int, approval: Approval | None
    ) -> Any:
        """Make the call once it is approved, or record its refusal."""
        while True:
            try:
                if approval is not None:
                    approval.obtain(step.name, begun)
                return self._make(step, call, begun, approval)
            except CallRefused as error:
                if error.reason is not None:
                    return self._record_refusal(step, error.reason)
                begun += 1  # Ask again, as another call.

    def _make(
        self, step: RecordedStep, call: Callable[[], Any], begun: int, approval: Approval | None
    ) -> Any:
        """Make a call that is approved, and record its result."""
        # What threads that the tool starts do later doesn't belong to the branch of whoever called it.
        with self._steps.executing(), self._run.activity.new_branch():
            self._writer.write(step.name + STARTED_SUFFIX, str(begun + 1))
            self._writer.flush()
            self._run.check_lease()
            scope, duplicate = TOOL_SCOPE.set(step.name), DUPLICATE_CALL.set(None)
            try:
                result = call()
            except CallRefused:
                raise
            except Exception as error:
                more = {**self._model_calls_of(step), **_approved_call(approval, write_error(error))}
                told = self._steps.record_failure(step, error, more, now=True)
                self._record_executed(more)
                if told is not error:
                    raise told from error
                raise
            finally:
                DUPLICATE_CALL.reset(duplicate)
                TOOL_SCOPE.reset(scope)
            more = {**self._model_calls_of(step), **_approved_call(approval, encode(result))}
            recorded = self._steps.record(step, result, more=more, now=True)
        self._record_executed(more)
        return recorded

    def _record_refusal(self, step: RecordedStep, reason: str | Exception) -> Any:
        """Record that a call was not let through: as its result, or as its failure."""
        if isinstance(reason, Exception):
            raise self._steps.record_failure(step, reason, now=True)
        return self._steps.record(step, reason, now=True)

    def _record_executed(self, recorded: Mapping[str, Any]) -> None:
        """Record with the question that its call was made; a worker may have died before that."""
        made = recorded.get(APPROVED_CALL)
        if made is not None:
            self._run.record_executed(made["question"], made["call"], made["result"])

    def _model_calls_of(self, step: RecordedStep) -> dict[str, int]:
        """The model calls inside of the tool; they count towards the limit also when it is replayed."""
        calls = self._models.count(step.name)
        return {"model_calls": calls} if calls else {}

    def _repeats(self, tool: str, key: str, on_interrupted: OnInterrupted) -> bool:
        """Whether to repeat a call that started before and may have happened."""
        match on_interrupted:
            case "retry":
                return True
            case "fail":
                raise self._run.stop(system_questions.interrupted_error(tool))
            case "ask":
                return system_questions.ask_whether_to_repeat(self._questions, tool, key)
