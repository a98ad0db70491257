"""Functions with which an author's own code asks people: in tools, in methods of flows, in callbacks.

Each has a variant to await. What is asked, and what an answer means, is the same for both: a Dialogue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Literal, TypeVar, overload

from pydantic import BaseModel, JsonValue

from bot.core.questions.question import Action, Outcome, Question, QuestionKind
from crews.definitions.code import code_of
from crews.definitions.exceptions import NotAnswered
from crews.human_input.ask_human import AskHumanArgs, outcome_text
from crews.human_input.model_forms import Dialogue, model_dialogue, values_of
from crews.human_input.terminal_questions import ask_outside_of_runs
from crews.run.context import AGENT, CURRENT, RunContext
from crews.run.questions import Asking, anew

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Fields = Sequence[Mapping[str, Any]]
Kind = Literal["approval", "choice", "text", "form"]


@dataclass(frozen=True)
class ApprovalResult:
    """What people decided on an approval. True in a condition if, and only if, they approved."""

    approved: bool
    #: What they added, or said instead of deciding; empty if they only pressed a button.
    comment: str = ""
    #: Whoever settled it, as others know them; None: nobody did, and the crew says that this rejects it.
    by: str | None = None

    def __bool__(self) -> bool:
        return self.approved


class AwaitableApproval(Coroutine[Any, Any, ApprovalResult]):
    """A coroutine for an ApprovalResult. Without `await` it has no truth value: it approves nothing."""

    def __init__(self, work: Coroutine[Any, Any, ApprovalResult]) -> None:
        self._work = work

    def __bool__(self) -> bool:
        self.close()
        raise TypeError("approve_async has to be awaited: await crewdeck.approve_async(...)")

    def __await__(self) -> Generator[Any, Any, ApprovalResult]:
        return self._work.__await__()

    def send(self, value: Any) -> Any:  # noqa: ANN401 - as coroutines have it
        """As of any coroutine."""
        return self._work.send(value)

    def throw(
        self,
        typ: Any,  # noqa: ANN401 - as coroutines have it
        val: Any = None,  # noqa: ANN401
        tb: TracebackType | None = None,
    ) -> Any:  # noqa: ANN401
        """As of any coroutine."""
        return self._work.throw(typ) if val is None and tb is None else self._work.throw(typ, val, tb)

    def close(self) -> None:
        """As of any coroutine."""
        self._work.close()


# ── approvals ───────────────────────────────────────────────────────────────────────────────────────────────


def approve(question: str, *, context: str = "") -> ApprovalResult:
    """Have people approve something, and wait for it. Blocks its thread, which must be one of the run's.

    `context`: all that they need to know, such as the complete text; what isn't in it was not approved.
    Words are no approval. Raises NotAnswered if the deadline passes. Outside of
    runs the person at the terminal is asked; RuntimeError is raised where there is none.
    """
    return _asked("approve", _approval(question, context))


def approve_async(question: str, *, context: str = "") -> AwaitableApproval:
    """As `approve`, to await, from any event loop of the run."""
    return AwaitableApproval(_awaited("approve_async", _approval(question, context)))


# ── questions ───────────────────────────────────────────────────────────────────────────────────────────────


@overload
def ask_human(
    question: str, *, context: str = "", form: type[M], kind: Literal["form"] | None = None
) -> M: ...


@overload
def ask_human(
    question: str, *, context: str = "", fields: Fields, kind: Literal["form"] | None = None
) -> dict[str, JsonValue]: ...


@overload
def ask_human(question: str, *, context: str = "", kind: Literal["approval"]) -> ApprovalResult: ...


@overload
def ask_human(
    question: str,
    *,
    context: str = "",
    options: Sequence[str] = (),
    kind: Literal["choice", "text"] | None = None,
) -> str: ...


def ask_human(
    question: str,
    *,
    context: str = "",
    options: Sequence[str] = (),
    kind: Kind | None = None,
    fields: Fields = (),
    form: type[BaseModel] | None = None,
) -> object:
    """Ask people, and wait for their answer. Blocks its thread, which must be one of the run's.

    Returns their words; with `options` one of them, as it is there, or words if people answered in words
    instead; with `fields` the values by name, as JSON; with `form` an instance of that pydantic model.
    Raises NotAnswered if people decline a form or the deadline passes, ValueError for what can't be asked,
    RuntimeError where nobody can be asked: outside of runs, without a terminal.
    """
    return _asked("ask_human", _dialogue(question, context, options, kind, fields, form))


@overload
async def ask_human_async(
    question: str, *, context: str = "", form: type[M], kind: Literal["form"] | None = None
) -> M: ...


@overload
async def ask_human_async(
    question: str, *, context: str = "", fields: Fields, kind: Literal["form"] | None = None
) -> dict[str, JsonValue]: ...


@overload
async def ask_human_async(
    question: str, *, context: str = "", kind: Literal["approval"]
) -> ApprovalResult: ...


@overload
async def ask_human_async(
    question: str,
    *,
    context: str = "",
    options: Sequence[str] = (),
    kind: Literal["choice", "text"] | None = None,
) -> str: ...


async def ask_human_async(
    question: str,
    *,
    context: str = "",
    options: Sequence[str] = (),
    kind: Kind | None = None,
    fields: Fields = (),
    form: type[BaseModel] | None = None,
) -> object:
    """As `ask_human`, to await, from any event loop of the run."""
    return await _awaited("ask_human_async", _dialogue(question, context, options, kind, fields, form))


# ── what is asked, and what the answer means ────────────────────────────────────────────────────────────────


def _dialogue(
    question: str,
    context: str,
    options: Sequence[str],
    kind: Kind | None,
    fields: Fields,
    form: type[BaseModel] | None,
) -> Dialogue[object]:
    if isinstance(options, str):
        raise TypeError("`options` is a list of texts")
    if form is None:
        own = list(options)
        given = {"question": question, "context": context, "options": own, "kind": kind}
        asking = AskHumanArgs.model_validate(given | {"fields": list(fields)}).asking()
        if asking.kind is QuestionKind.APPROVAL and kind != "approval":
            raise ValueError("to have something approved, call crewdeck.approve(question)")
        return _one_question(asking, own)
    if options or fields or kind not in {None, "form"}:
        raise ValueError("`form` says what is asked: leave out `options`, `fields` and other kinds")
    text = AskHumanArgs.model_validate({"question": question, "context": context}).asking()
    return model_dialogue(form, text.prompt, text.context)


def _approval(question: str, context: str) -> Dialogue[ApprovalResult]:
    given = {"question": question, "context": context, "kind": "approval"}
    answered = yield AskHumanArgs.model_validate(given).asking()
    return _approval_result(_outcome(answered))


def _one_question(asking: Asking, options: Sequence[str]) -> Dialogue[object]:
    """`options`: as the caller wrote them, who gets one of them; people see them without spaces around."""
    answered = yield asking
    if asking.kind is QuestionKind.FORM:
        return values_of(answered)
    outcome = _outcome(answered)
    if asking.kind is QuestionKind.APPROVAL:
        return _approval_result(outcome)
    if outcome.action is Action.RESPOND:
        return outcome.comment
    return next(
        own for option, own in zip(answered.options, options, strict=True) if option.id == outcome.value
    )


def _outcome(answered: Question) -> Outcome:
    """The outcome of a settled question. Raises NotAnswered."""
    if answered.outcome is None or answered.outcome.action in {Action.EXPIRE, Action.CANCEL}:
        raise NotAnswered(outcome_text(answered))
    return answered.outcome


def _approval_result(outcome: Outcome) -> ApprovalResult:
    by = outcome.by.label if outcome.by is not None else None
    return ApprovalResult(outcome.action is Action.APPROVE, outcome.comment.strip(), by)


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────


def _asked(name: str, dialogue: Dialogue[T]) -> T:
    try:
        asking = next(dialogue)
        run = CURRENT.get()
        while True:
            asking = dialogue.send(_ask(name, run, asking))
    except StopIteration as done:
        answer: T = done.value
        return answer


async def _awaited(name: str, dialogue: Dialogue[T]) -> T:
    asking = next(dialogue)
    run = CURRENT.get()
    while True:
        if run is None:
            answered = await asyncio.to_thread(_ask, name, None, asking)
        else:
            answered = await run.questions.ask(here := _from_here(run, asking))
            while _is_for_other_code(run, here, answered):
                answered = await run.questions.ask(here := anew(here))
        try:
            asking = dialogue.send(answered)
        except StopIteration as done:
            answer: T = done.value
            return answer


def _ask(name: str, run: RunContext | None, asking: Asking) -> Question:
    """Ask the run's people, or outside of runs the person at the terminal."""
    if run is None:
        return ask_outside_of_runs(asking, f"crewdeck.{name}")
    answered = run.questions.ask_in_thread(here := _from_here(run, asking))
    while _is_for_other_code(run, here, answered):
        answered = run.questions.ask_in_thread(here := anew(here))
    return answered


def _from_here(run: RunContext, asking: Asking) -> Asking:
    """The question with the agent at whose work it is asked; without one the crew asks."""
    code = ""
    if asking.kind is QuestionKind.APPROVAL:  # Any of the crew's tools may ask.
        code = code_of(run.gates.made_by, named=run.gates.references)
    return run.asking_of(AGENT.get(), replace(asking, asker=run.claim.run.crew.title, code=code))


def _is_for_other_code(run: RunContext, asking: Asking, answered: Question) -> bool:
    """Whether this was approved for other code of the crew than would go on with it here."""
    approved = answered.outcome is not None and answered.outcome.action is Action.APPROVE
    return bool(asking.code) and approved and run.questions.is_for_other_code(answered, asking.code)
