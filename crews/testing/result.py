"""The result of a crew in a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.core.questions.question import Question
from bot.core.runs.run import RunError
from crews.testing.script import ModelCall


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool that was made; calls that people rejected aren't."""

    tool: str
    #: With which it was made: after people edited them.
    arguments: Mapping[str, Any]
    #: None if it raised an exception.
    result: Any = None
    exception: BaseException | None = None


@dataclass(frozen=True, repr=False)
class AskedQuestion:
    """A question as people were asked it, and what they decided."""

    question: Question

    @property
    def kind(self) -> str:
        """approval, choice, text, form or review."""
        return self.question.kind.value

    @property
    def prompt(self) -> str:
        return self.question.prompt

    @property
    def context(self) -> str:
        """As it was asked: before people edited it."""
        asked = self.question.proposed
        return self.question.context if asked is None else asked

    @property
    def options(self) -> tuple[str, ...]:
        """The labels of its buttons."""
        return tuple(option.label for option in self.question.options)

    @property
    def form(self) -> tuple[Any, ...]:
        """The fields of a form: `name`, `type`, `required` ..."""
        return self.question.form

    @property
    def action(self) -> Any:  # noqa: ANN401 - bot.core.questions.tool_call.ToolCall, which is no public name
        """The tool call that waited for the approval: `tool`, `summary`, `arguments`, `editable`; or None."""
        return self.question.call

    @property
    def asker(self) -> str:
        """The role of the agent that asked."""
        return self.question.asker

    @property
    def outcome(self) -> str:
        """approve, reject, choose, respond, submit, expire or cancel; empty if it is open."""
        return self.question.outcome.action.value if self.question.outcome is not None else ""

    @property
    def answer(self) -> str:
        """The outcome in words, as events tell it."""
        outcome = self.question.outcome
        return outcome.text(self.question.options) if outcome is not None else ""

    def __repr__(self) -> str:
        """In a line, since pytest shows it."""
        told = f"{self.kind} {self.prompt!r}"
        if self.options:
            told += f" (options: {', '.join(self.options)})"
        if self.question.form:
            told += f" (fields: {', '.join(field.name for field in self.question.form)})"
        if self.question.call is not None:
            told += f" (call: {self.question.call.tool} {dict(self.question.call.arguments)})"
        return told


@dataclass(frozen=True)
class AttachedFile:
    """A file that the crew gave to people."""

    name: str
    content: bytes
    description: str = ""


@dataclass(frozen=True)
class CrewResult:
    """The run, once it is over."""

    #: completed, failed or cancelled.
    status: str
    output: str | None
    #: `code` and `message` of a failed run, as people are told.
    error: RunError | None
    #: In the order in which they were asked.
    questions: tuple[AskedQuestion, ...]
    #: The events as every stream carries them (docs/api.md).
    events: tuple[dict[str, Any], ...]
    #: In the order in which they were made.
    tool_calls: tuple[ToolCall, ...]
    #: What the scripted model was asked; empty where the crew called models of its own.
    model_calls: tuple[ModelCall, ...]
    #: What the crew attached, and what its tasks wrote.
    files: tuple[AttachedFile, ...] = ()
    #: What the crew of a failed run raised, if it did.
    exception: BaseException | None = None

    def calls_of(self, tool: str) -> list[ToolCall]:
        return [each for each in self.tool_calls if each.tool == tool]
