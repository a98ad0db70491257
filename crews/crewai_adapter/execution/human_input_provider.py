"""CrewAI's provider of human input: reviews of tasks (`human_input: true`), and recorded prompts."""

from __future__ import annotations

# ruff: noqa: SLF001 - the protocol's own names
import re
from contextvars import ContextVar
from dataclasses import replace

from crewai import Task
from crewai.agents.parser import AgentFinish
from crewai.core.providers.human_input import AsyncExecutorContext, ExecutorContext
from pydantic import BaseModel

from bot.core.questions.question import Question
from crews.human_input.reviews import Reviews
from crews.run.context import AgentAtWork, RunContext


class HumanInputProvider:
    """CrewAI's provider of human input, for one run."""

    def __init__(self, run: RunContext, rounds: int) -> None:
        self._run = run
        self._reviews = Reviews(run, rounds)
        #: The prompt that is being rendered here; agents work side by side.
        self._rendering: ContextVar[str] = ContextVar("crewdeck_rendering")

    def setup_messages(self, context: ExecutorContext) -> bool:
        """Whether the prompt was rendered before, and so is in the context already."""
        own = self._run.identity.own(context.task)
        described = "" if own is not None else _without_variable_parts(_wanted(context))
        name, messages = self._run.recorder.find_prompt(context.agent.role, described)
        if messages is not None:
            context.messages[:] = messages
            return True
        self._rendering.set(name)
        return False

    def post_setup_messages(self, context: ExecutorContext) -> None:
        """The prompt was rendered now."""
        context.messages[:] = self._run.recorder.record_prompt(self._rendering.get(), list(context.messages))

    async def handle_feedback_async(self, answer: AgentFinish, context: AsyncExecutorContext) -> AgentFinish:
        for review in self._reviews.askings(AgentAtWork(context.agent, context.task)):
            decided = await self._run.questions.ask(review.asking(_text(answer)))
            feedback = self._reviews.feedback(decided)
            if feedback is None:
                answer = self._approved(decided, answer, context.task)
                break
            _request_changes(context, answer, feedback)
            answer = await context._ainvoke_loop()
        context.ask_for_human_input = False
        return answer

    def handle_feedback(self, answer: AgentFinish, context: ExecutorContext) -> AgentFinish:
        """As `handle_feedback_async`, for agents that CrewAI runs in a thread of their own."""
        for review in self._reviews.askings(AgentAtWork(context.agent, context.task)):
            decided = self._run.questions.ask_in_thread(review.asking(_text(answer)))
            feedback = self._reviews.feedback(decided)
            if feedback is None:
                answer = self._approved(decided, answer, context.task)
                break
            _request_changes(context, answer, feedback)
            answer = context._invoke_loop()
        context.ask_for_human_input = False
        return answer

    def _approved(self, decided: Question, answer: AgentFinish, task: Task | None) -> AgentFinish:
        """Make the approved text, which the reviewer may have edited, the task's result."""
        output = self._reviews.approved(decided, answer.output, task)
        if output is answer.output:
            return answer
        return replace(answer, output=output, text=output if isinstance(output, str) else answer.text)

    @staticmethod
    def _get_output_string(answer: AgentFinish) -> str:
        return _text(answer)


def _wanted(context: ExecutorContext) -> str:
    """The description of a delegated task, or the input of an agent's `kickoff`."""
    return str(getattr(context.task, "description", None) or getattr(context, "_kickoff_input", ""))


_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


def _without_variable_parts(description: str) -> str:
    """The description without its variable parts; it identifies work that is no task of the crew.

    Agents with `inject_date` add the date; a crew that plans names its tools as Python shows them.
    """
    return _ADDRESS.sub("", description.partition("\n\nCurrent Date: ")[0])


def _text(answer: AgentFinish) -> str:
    return answer.output.model_dump_json() if isinstance(answer.output, BaseModel) else str(answer.output)


def _request_changes(context: ExecutorContext, answer: AgentFinish, feedback: str) -> None:
    # CrewAI omits the draft from the conversation of agents without tools, which then can't revise it.
    if not context.messages or context.messages[-1].get("role") != "assistant":
        context.messages.append({"role": "assistant", "content": _text(answer)})
    context.messages.append(context._format_feedback_message(feedback))
