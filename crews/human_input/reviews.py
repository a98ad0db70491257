"""Reviews of a task's output (`human_input: true`): what people are asked, and what their answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crewai import Task
from pydantic import BaseModel, ValidationError

from bot.core.people.policy import Policy, policy_for
from bot.core.questions.question import Action, Question, QuestionKind, Source
from bot.core.runs.run import RunError
from crews.definitions.tool_options import reviewers_of
from crews.run.context import AgentAtWork, RunContext
from crews.run.questions import Asking


@dataclass(frozen=True)
class Reviews:
    """The reviews of one run."""

    run: RunContext
    #: The most rounds of one review.
    rounds: int

    def askings(self, who: AgentAtWork) -> Iterator[Review]:
        """The rounds of the review of an output, until the limit."""
        for number in range(1, self.rounds + 1):
            yield Review(self, who, number)

    def feedback(self, review: Question) -> str | None:
        """The changes that were requested; None if there are none. Raises RunExit where the run ends."""
        outcome = review.outcome
        if outcome is None or outcome.action is Action.APPROVE:
            return None
        if outcome.action is Action.RESPOND and review.round != review.rounds:
            return outcome.comment
        raise self.run.stop(_ending(review))

    def approved(self, review: Question, output: str | BaseModel, task: Task | None) -> str | BaseModel:
        """The output that was approved: the reviewer's text where they edited it. Raises RunExit.

        The text of a structured output is its JSON. Where what they wrote is none, the run ends: nobody has
        approved anything else, and a model that makes JSON of it would decide what it says.
        """
        edited = review.outcome.value if review.outcome is not None else None
        if not isinstance(edited, str):
            return output
        kind = type(output) if isinstance(output, BaseModel) else _structure_of(task)
        if kind is None:
            return edited
        try:
            structured = kind.model_validate_json(edited)
        except ValidationError as error:
            raise self.run.stop(_no_output(review, kind, error)) from error
        return structured if isinstance(output, BaseModel) else edited


def _structure_of(task: Task | None) -> type[BaseModel] | None:
    """The model that a task's output has to fit; None for text."""
    return (task.output_pydantic or task.output_json) if task is not None else None


def _no_output(review: Question, kind: type[BaseModel], error: ValidationError) -> RunError:
    by = review.outcome.by.label if review.outcome and review.outcome.by else "Somebody"
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    why = f"{where}: {first['msg']}" if where else first["msg"]
    return RunError(
        code="edited_result",
        message=f"{by} edited the result, and the task needs it as {kind.__name__} in JSON: {why}",
    )


@dataclass(frozen=True)
class Review:
    """One round of a review."""

    reviews: Reviews
    who: AgentAtWork
    number: int

    def asking(self, output: str) -> Asking:
        """The question what people think of the output."""
        task = self.reviews.run.identity.task(self.who.task)
        name = task.name if task is not None else "task"
        asking = Asking(
            kind=QuestionKind.REVIEW,
            prompt=f"Please review the result of “{name}”.",
            context=output,
            source=Source.TASK,
            round=self.number,
            rounds=self.reviews.rounds,
            policy=self._policy(),
        )
        return self.reviews.run.asking_of(self.who, asking)

    def _policy(self) -> Policy | None:
        """Who reviews it, if its task names somebody."""
        approvers = reviewers_of(self.who.task)
        if approvers is None:
            return None
        run = self.reviews.run.claim.run
        return policy_for(approvers, run.requester, run.crew.allowed_memberships)


def _ending(review: Question) -> RunError:
    outcome = review.outcome
    by = outcome.by.label if outcome and outcome.by else None
    words = outcome.comment.strip() if outcome and outcome.by else ""
    match outcome.action if outcome else Action.EXPIRE:
        case Action.REJECT if by:
            return RunError(
                code="rejected", message=f"{by} rejected the result" + (f": {words}" if words else ".")
            )
        case Action.REJECT:
            return RunError(
                code="rejected",
                message="Nobody reviewed the result before the deadline, which counts as a rejection.",
            )
        case Action.RESPOND:
            return RunError(
                code="review_rounds",
                message=f"{by} requested changes again after {review.rounds} rounds, its limit: {words}",
            )
        case _:
            return RunError(code="expired", message="Nobody reviewed the result before the deadline.")
