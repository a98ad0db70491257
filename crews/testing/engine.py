"""Executes one run with the worker's own runtime: policies, gates and limits hold as in production."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pydantic import JsonValue

from bot.core import starting
from bot.core.input_files import store_files
from bot.core.questions.answering import explain
from bot.core.questions.decision import Ruling, Verdict
from bot.core.questions.question import Action, Question
from bot.core.runs.run import Claim, RunStatus
from bot.core.wakeups import Wakeups
from crews.building.build import Blueprint, Built
from crews.crewai_adapter.models import replaced_model
from crews.definitions.tool_options import OnInterrupted
from crews.run.context import RunContext
from crews.run.lease import Lease
from crews.run.session import RunHistory
from crews.run.store_proxy import StoreProxy
from crews.run.threads import Outcome, Raised
from crews.run.tool_calls import Approval, ToolCalls
from crews.testing.files import uploaded
from crews.testing.model import NO_ANSWER, AnsweringModel
from crews.testing.people import ScriptedAnswer, actor_of
from crews.testing.result import AskedQuestion, AttachedFile, CrewResult, ToolCall
from crews.testing.script import ModelScript, Script
from crews.testing.store import MemoryQuestions, MemoryStore
from crews.testing.targets import Target
from crews.worker.execution import Execution
from crews.worker.runtime import Runtime

BUILD_TIMEOUT_S = 60.0
FOREVER_S = 1e9
"""A run of a test is never parked."""


@dataclass(frozen=True)
class ScriptedRun:
    """What a test says of its run."""

    target: Target
    inputs: Mapping[str, JsonValue]
    model: ModelScript | None
    people: Sequence[ScriptedAnswer]
    requester: str
    groups: Mapping[str, Sequence[str]]
    #: Seconds within which the run has to be over.
    timeout: float


async def execute(test: ScriptedRun) -> CrewResult:
    """Run it. Raises AssertionError where the test's script doesn't fit, and InvalidInputs."""
    __tracebackhide__ = True
    wakeups, script = Wakeups(), Script(test.model or ())
    store = MemoryStore(wakeups, test.groups)
    ports, name = store.ports, test.target.blueprint.name
    proxy = StoreProxy(asyncio.get_running_loop(), ports, wakeups, _Slots())
    runtime = _Runtime({name: test.target.blueprint}, proxy, FOREVER_S, 1, BUILD_TIMEOUT_S)
    seen = _Observed(store)
    runtime.observed = seen
    replaced_model.install()
    claim = await _started(test, store)
    answering = _Answering(list(test.people), store)
    try:
        with replaced_model.replaced(AnsweringModel.of(script) if test.model is not None else None):
            await _over(test, runtime, claim, answering)
    finally:
        runtime.close()
    _check(store, script, answering.problem, test.people, answering.left)
    return _result(seen, script)


async def _started(test: ScriptedRun, store: MemoryStore) -> Claim:
    card, requester = test.target.blueprint.card(), actor_of(test.requester)
    declared = test.inputs if test.target.declared else {}
    given = await uploaded(store.files, card, declared, requester)
    new = await store_files(store.files, starting.plan(card, given, requester, key=uuid4().hex))
    if not test.target.declared:
        new = new.model_copy(update={"inputs": dict(test.inputs)})
    return store.start(new)


async def _over(test: ScriptedRun, runtime: _Runtime, claim: Claim, answering: _Answering) -> None:
    """Return once the run is over. Where a question can't be answered, the run is ended."""
    running = asyncio.create_task(runtime.execute(claim, Lease()))
    people = asyncio.create_task(answering.answer())
    try:
        async with asyncio.timeout(test.timeout):
            await asyncio.wait({running, people}, return_when=asyncio.FIRST_COMPLETED)
            if people.done():
                runtime.stop(claim.run.id)
                people.result()
            await running
    except TimeoutError:
        runtime.stop(claim.run.id)
        raise AssertionError(f"The run isn't over after {test.timeout:g} s (timeout=...).") from None
    finally:
        people.cancel()
        await asyncio.wait({people})


def _check(
    store: MemoryStore,
    script: Script,
    problem: str,
    people: Sequence[ScriptedAnswer],
    left: Sequence[ScriptedAnswer],
) -> None:
    """Raises AssertionError where the script didn't fit to what happened."""
    __tracebackhide__ = True
    run = store.run
    problems = [problem] if problem else []
    if run.error is not None and run.error.code == NO_ANSWER:
        problems.append(run.error.message)
    if not problems:
        problems += [f"nobody was asked for the answer {answer}" for answer in left]
        problems += [f"the model wasn't called for its answer {answer}" for answer in script.unused]
    if not problems:
        return
    told = [*problems]
    if run.error is not None and run.error.code != NO_ANSWER:
        told.append(f"the run failed: {run.error.code}: {run.error.message}")
    asked = [f"  {each}" for each in map(AskedQuestion, store.asked.values())]
    told += ["asked:", *asked] if asked and people else []
    raise AssertionError("\n".join(told))


def _result(seen: _Observed, script: Script) -> CrewResult:
    store, run = seen.store, seen.store.run
    return CrewResult(
        status=run.status.value,
        output=run.result if run.status is RunStatus.COMPLETED else None,
        error=run.error,
        questions=tuple(map(AskedQuestion, store.asked.values())),
        events=tuple(event.public() for event in store.log),
        tool_calls=tuple(seen.calls),
        model_calls=tuple(script.calls),
        files=tuple(
            AttachedFile(file.name, content, file.description)
            for file, content in store.files.contents(run.id)
            if not file.input
        ),
        exception=seen.exception if run.status is RunStatus.FAILED else None,
    )


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Answering:
    """Gives scripted answers to questions as they are asked."""

    left: list[ScriptedAnswer]
    store: MemoryStore
    #: Why a question wasn't answered, or an answer didn't do what the test says.
    problem: str = field(default="", init=False)

    async def answer(self) -> None:
        """Return with the first problem."""
        questions = MemoryQuestions(self.store)
        while True:
            for question in [each for each in self.store.asked.values() if each.open]:
                await self._answer(questions, question)
                if self.problem:
                    return
            self.store.asked_anew.clear()
            if not any(each.open for each in self.store.asked.values()):
                await self.store.asked_anew.wait()

    async def _answer(self, questions: MemoryQuestions, question: Question) -> None:
        found = next((each for each in self.left if each.answers(question)), None)
        if found is None:
            self.problem = f"nobody answers: {AskedQuestion(question)}\nAdd an answer to `people`."
            if self.left:
                self.problem += f" It has {', '.join(map(str, self.left))}, meant for other questions."
            return
        self.left.remove(found)
        if found.action is Action.EXPIRE and question.deadline.after is None:
            self.problem = f"expire() can't be: the crew gives no deadline to {AskedQuestion(question)}"
            return
        if found.action is Action.EXPIRE:
            await questions.expire(question)
            return
        try:
            response = found.response(question)
        except ValueError as error:
            self.problem = f"{found} is no answer to {AskedQuestion(question)}: {error}"
            return
        ruling = await questions.respond(question.run_id, question.id, response)
        self.problem = _objection(found, ruling, question)


def _objection(answer: ScriptedAnswer, ruling: Ruling, question: Question) -> str:
    """What is wrong with the ruling; empty if it is what the test says."""
    asked = AskedQuestion(question)
    if ruling.verdict is not Verdict.REFUSED:
        return f"{answer} counts, and the test says that it is refused: {asked}" if answer.refused else ""
    if answer.refused == ruling.code:
        return ""
    why = "; ".join(f"{part} {what}" for part, what in ruling.errors.items())
    why = why or ruling.reason or explain(ruling, ", ".join(question.policy.deciders))
    return f"{answer} is refused ({ruling.code}): {why}\nasked: {asked}"


# ── the worker's runtime, observed ──────────────────────────────────────────────────────────────────────


class _Slots:
    """There is one run, and room for it."""

    def expect(self, run_id: str) -> None: ...

    def expect_no_more(self, run_id: str) -> None: ...

    def free_slot(self, claim: Claim) -> None: ...

    async def leave(self, claim: Claim) -> None: ...

    async def resume(self, claim: Claim) -> bool:  # noqa: ARG002 - the port's
        return True


@dataclass
class _Observed:
    """What happened in a run besides what the store has."""

    store: MemoryStore
    calls: list[ToolCall] = field(default_factory=list)
    exception: BaseException | None = None


class _Runtime(Runtime):
    """Notes which tool calls were made, and what the crew raised."""

    observed: _Observed

    def open(self, claim: Claim, history: RunHistory, lease: Lease) -> Execution:
        execution = super().open(claim, history, lease)
        context = execution.context
        context.recorder.tools = _ToolCalls(context, self.observed)
        return execution

    async def built(self, execution: Execution, blueprint: Blueprint) -> Outcome[Built] | None:
        built = await super().built(execution, blueprint)
        if isinstance(built, Raised):
            self.observed.exception = built.error
        return built

    def work(self, execution: Execution, crew: Built, blueprint: Blueprint) -> str:
        try:
            return super().work(execution, crew, blueprint)
        except Exception as error:
            self.observed.exception = error
            raise


class _ToolCalls(ToolCalls):
    """Notes the calls that are made, with the arguments that they are made with."""

    def __init__(self, context: RunContext, observed: _Observed) -> None:
        super().__init__(context.questions, context.recorder.steps, context.recorder.models)
        self._observed = observed

    def call(
        self,
        name: str,
        arguments: dict[str, Any],
        call: Callable[[], Any],
        on_interrupted: OnInterrupted = "ask",
        approval: Approval | None = None,
        **more: Any,
    ) -> Any:  # noqa: ANN401 - whatever tools return
        def made() -> Any:  # noqa: ANN401
            try:
                result = call()
            except Exception as error:
                self._observed.calls.append(
                    ToolCall(name, self._given_arguments(arguments, approval), exception=error)
                )
                raise
            self._observed.calls.append(ToolCall(name, self._given_arguments(arguments, approval), result))
            return result

        return super().call(name, arguments, made, on_interrupted, approval, **more)

    def _given_arguments(self, arguments: dict[str, Any], approval: Approval | None) -> dict[str, Any]:
        """What the call was made with: an approval may have changed it."""
        digests = approval.digests if approval is not None else None
        outcome = self._observed.store.asked[digests[0]].outcome if digests is not None else None
        if outcome is not None and outcome.arguments is not None:
            return dict(outcome.arguments)
        return {key: value for key, value in arguments.items() if (key, value) != ("args", ())}
