"""Reviews of a task's output (`human_input: true`): what people are asked, and what their answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.core.policy import Policy, policy_for
from bot.core.question import Action, Question, QuestionKind, Source
from bot.core.run import RunError
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
        """The changes that were requested; None if there are none. Raises Leave where the run ends."""
        outcome = review.outcome
        if outcome is None or outcome.action is Action.APPROVE:
            return None
        if outcome.action is Action.RESPOND and review.round != review.rounds:
            return outcome.comment
        raise self.run.stop(_ending(review))


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
