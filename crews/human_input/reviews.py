"""Tasks with `human_input: true`: people review the output, round after round, until they decide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextvars import ContextVar

from crewai.agents.parser import AgentFinish
from crewai.core.providers.human_input import AsyncExecutorContext, ExecutorContext
from pydantic import BaseModel

from bot.core.question import Action, Question, QuestionKind, Source
from bot.core.run import RunError
from crews.human_input.questions import Asking
from crews.run.context import RunContext
from crews.run.identity import TaskPart


class Reviews:
    """CrewAI's provider of human input, for one run."""

    def __init__(self, run: RunContext, rounds: int) -> None:
        self._run = run
        self._rounds = rounds
        #: The prompt that is being rendered here; agents work side by side.
        self._rendering: ContextVar[str] = ContextVar("crewdeck_rendering")

    def setup_messages(self, context: ExecutorContext) -> bool:
        """Whether the prompt was rendered before, and so is in the context already."""
        own = self._run.parts.own(context.task)
        described = "" if own is not None else _steady(_wanted(context))
        name, messages = self._run.steps.prompt(context.agent.role, described)
        if messages is not None:
            context.messages[:] = messages
            return True
        self._rendering.set(name)
        return False

    def post_setup_messages(self, context: ExecutorContext) -> None:
        """The prompt was rendered now."""
        context.messages[:] = self._run.steps.rendered(self._rendering.get(), list(context.messages))

    async def handle_feedback_async(self, answer: AgentFinish, context: AsyncExecutorContext) -> AgentFinish:
        for asking in self._askings(context):
            feedback = self._feedback(await self._run.desk.ask(asking(answer)))
            if feedback is None:
                break
            _request_changes(context, answer, feedback)
            answer = await context._ainvoke_loop()  # noqa: SLF001 - the protocol's own name
        context.ask_for_human_input = False
        return answer

    def handle_feedback(self, answer: AgentFinish, context: ExecutorContext) -> AgentFinish:
        """For agents that CrewAI runs in a thread of their own."""
        for asking in self._askings(context):
            feedback = self._feedback(self._run.desk.ask_in_thread(asking(answer)))
            if feedback is None:
                break
            _request_changes(context, answer, feedback)
            answer = context._invoke_loop()  # noqa: SLF001 - the protocol's own name
        context.ask_for_human_input = False
        return answer

    @staticmethod
    def _get_output_string(answer: AgentFinish) -> str:
        return _text(answer)

    def _askings(self, context: ExecutorContext) -> Iterator[_Round]:
        task = self._run.parts.task(context.task)
        agent = context.agent
        for number in range(1, self._rounds + 1):
            yield _Round(task, self._run.parts.agent_id(agent), agent.role.strip(), number, self._rounds)

    def _feedback(self, review: Question) -> str | None:
        """The changes that are requested; None if there are none. Raises Leave where the run ends."""
        outcome = review.outcome
        if outcome is None or outcome.action is Action.APPROVE:
            return None
        if outcome.action is Action.RESPOND and review.round != review.rounds:
            return outcome.comment
        raise self._run.stop(_ending(review))


def _wanted(context: ExecutorContext) -> str:
    """The words of a task that isn't the crew's own, or of an agent's `kickoff`, which has none."""
    return str(getattr(context.task, "description", None) or getattr(context, "_kickoff_input", ""))


_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


def _steady(description: str) -> str:
    """Work that is no task of the crew is known by its words, but for those that differ from time to time.

    Agents with `inject_date` add the date; a crew that plans names its tools as Python shows them.
    """
    return _ADDRESS.sub("", description.partition("\n\nCurrent Date: ")[0])


class _Round:
    """One round of a task's review."""

    def __init__(
        self, task: TaskPart | None, agent_id: str | None, asker: str, number: int, total: int
    ) -> None:
        self._task = task
        self._agent_id = agent_id
        self._asker = asker
        self._number = number
        self._total = total

    def __call__(self, answer: AgentFinish) -> Asking:
        name = self._task.name if self._task else "task"
        return Asking(
            kind=QuestionKind.REVIEW,
            prompt=f"Please review the result of “{name}”.",
            context=_text(answer),
            source=Source.TASK,
            task=self._task,
            agent_id=self._agent_id,
            asker=self._asker,
            round=self._number,
            rounds=self._total,
        )


def _text(answer: AgentFinish) -> str:
    return answer.output.model_dump_json() if isinstance(answer.output, BaseModel) else str(answer.output)


def _request_changes(context: ExecutorContext, answer: AgentFinish, feedback: str) -> None:
    # CrewAI leaves the draft out of the conversation of agents without tools, who couldn't revise it then.
    if not context.messages or context.messages[-1].get("role") != "assistant":
        context.messages.append({"role": "assistant", "content": _text(answer)})
    context.messages.append(context._format_feedback_message(feedback))  # noqa: SLF001 - the protocol's own name


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
