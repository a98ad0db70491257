"""Questions of the run itself to its requester, where only a person can decide. They block the thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.core.people.policy import Approvers, Policy, policy_for
from bot.core.questions.question import Action, Outcome, Question, QuestionKind, Source
from bot.core.runs.run import Run, RunError
from crews.run.questions import Asking, HumanQuestions

AGAIN, SKIP, STOP = "Do it again", "Skip it", "Stop the run"
GO_ON, CANCEL = "Go on from here", "Cancel the run"


def ask_whether_to_repeat(questions: HumanQuestions, tool: str, key: str) -> bool:
    """Ask whether to repeat a tool call that may have happened, or to skip it. Raises RunExit to stop."""
    chosen, question = _choice(
        questions,
        f"The tool “{tool}” was at work when its process died. What it does may have happened, or not. "
        "What now?",
        (AGAIN, SKIP, STOP),
        f"interrupted/{key}",
    )
    if chosen in {AGAIN, SKIP}:
        return chosen == AGAIN
    raise questions.run.stop(interrupted_error(tool, _who(question)))


def interrupted_error(tool: str, by: str = "") -> RunError:
    """The error of a run that ends for a tool call that may have happened."""
    why = f"{by} stopped the run." if by else "It is not made again, and nobody said how to go on."
    return RunError(
        code="interrupted",
        message=f"The tool {tool} was at work when its process died: what it does may have happened. {why}",
    )


def confirm_nondeterminism(questions: HumanQuestions, changed: str, key: str, kept: str = "") -> None:
    """Ask whether the run continues although it differs from its records. Raises RunExit if not.

    `kept` says what happens to the records, where they are not simply used.
    """
    task = questions.run.identity.task(None)
    name = f"“{task.name}”" if task is not None else "The crew"
    asked = f"Go on from here? {kept}" if kept else "Go on from here with what was recorded?"
    prompt = f"{name} was changed while this run was under way: {changed} {asked}"
    _go_on(questions, prompt, changed, f"diverged/{key}")


def confirm_changed_crew(
    questions: HumanQuestions, changed: Sequence[str], again: str | None, key: str
) -> None:
    """The same for a crew that changed. `again`: the task from which everything is repeated."""
    words = "; ".join(changed)
    told = (
        f"From the task “{again}” on, all is done anew."
        if again
        else "What is recorded is kept: the task in course goes on with the words that it began with, "
        "later ones take the new words."
    )
    prompt = f"This crew was changed while the run was under way: {words}. Go on from here? {told}"
    _go_on(questions, prompt, f"{words}.", f"changed/{key}")


def _go_on(questions: HumanQuestions, prompt: str, changed: str, key: str) -> None:
    chosen, question = _choice(questions, prompt, (GO_ON, CANCEL), key)
    if chosen == CANCEL and question.outcome is not None and question.outcome.by is not None:
        questions.run.cancel(question.outcome.by)
    if chosen != GO_ON:
        raise questions.run.stop(nondeterminism_error(changed, _who(question)))


def nondeterminism_error(changed: str, by: str = "") -> RunError:
    """The error of a run that can't continue as it began."""
    why = f"{by} ended the run." if by else "Nobody said whether to go on."
    return RunError(code="diverged", message=f"The crew was changed while it ran: {changed} {why}")


def _choice(
    questions: HumanQuestions, prompt: str, labels: tuple[str, ...], key: str
) -> tuple[str | None, Question]:
    """The label that a person chose; None if nobody did. An answer in words is asked again."""
    run = questions.run
    asking = Asking(
        kind=QuestionKind.CHOICE,
        prompt=prompt,
        labels=labels,
        source=Source.SYSTEM,
        policy=_of_requester(run.claim.run),
        asker=run.claim.run.crew.title,
        task=run.identity.task(None),
    )
    question, outcome = _decided(questions, asking, key)
    if outcome is None or outcome.by is None or outcome.action is not Action.CHOOSE:
        return None, question
    return next(o.label for o in question.options if o.id == outcome.value), question


def _decided(questions: HumanQuestions, asking: Asking, key: str) -> tuple[Question, Outcome | None]:
    number = 0
    while True:
        question = questions.ask_in_thread(replace(asking, key=f"{key}/{number}"))
        if question.outcome is None or question.outcome.action is not Action.RESPOND:
            return question, question.outcome
        number += 1


def _of_requester(run: Run) -> Policy:
    return policy_for(Approvers(), run.requester, run.crew.allowed_memberships)


def _who(question: Question) -> str:
    return question.outcome.by.label if question.outcome and question.outcome.by else ""
