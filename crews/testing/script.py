"""What a scripted model answers in a test, and what it was asked. Needs no crewai."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class ToolRequest:
    """The model wants a tool called."""

    tool: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return (
            f"call({self.tool!r}{''.join(f', {name}={value!r}' for name, value in self.arguments.items())})"
        )


def call(tool: str, **arguments: Any) -> ToolRequest:
    """The model calls this tool; several in a list are called in one turn."""
    return ToolRequest(tool, arguments)


ModelAnswer = str | ToolRequest | Sequence[ToolRequest] | Mapping[str, Any] | Exception
"""Words; calls of tools; an object, as JSON; or an exception that the provider's client raises."""
ModelScript = Sequence[ModelAnswer] | Mapping[str, Sequence[ModelAnswer]]
"""The answers in their order, or by the names of the tasks in which they are given."""


@dataclass(frozen=True)
class ModelCall:
    """What the model was asked once."""

    task: str
    agent: str
    messages: tuple[Mapping[str, Any], ...]
    #: The names of the tools that it was offered.
    tools: tuple[str, ...]

    @property
    def prompt(self) -> str:
        """All of the messages as text."""
        return "\n".join(str(each.get("content") or "") for each in self.messages)


class Exhausted(Exception):  # noqa: N818 - says what happened
    """The model is asked more often than the test has answers for."""


class Script:
    """The answers that are left, and the calls so far. Thread-safe."""

    def __init__(self, answers: ModelScript) -> None:
        by_task = answers if isinstance(answers, Mapping) else {"": answers}
        self._left = {task: list(each) for task, each in by_task.items()}
        self._in_order = not isinstance(answers, Mapping)
        self._lock = threading.Lock()
        self.calls: list[ModelCall] = []

    def __deepcopy__(self, memo: object) -> Self:
        return self  # CrewAI copies models with their agents

    def answer(self, asked: ModelCall) -> ModelAnswer:
        """The next answer. Raises Exhausted."""
        with self._lock:
            left = self._left.get("" if self._in_order else asked.task)
            if not left:
                raise Exhausted(self._why(asked, known=left is not None))
            self.calls.append(asked)
            return left.pop(0)

    def _why(self, asked: ModelCall, *, known: bool) -> str:
        of = f"in the task {asked.task!r}" if asked.task else "outside of a task"
        if not known:
            return f"the model is called {of}, and `model` has answers for {', '.join(self._left)} only"
        last = str(asked.messages[-1].get("content") or "")[:500] if asked.messages else ""
        number = len(self.calls) + 1
        return f"the model is called {of} (call {number}), and `model` has no answer left. Asked: {last}"

    @property
    def unused(self) -> list[str]:
        """The answers that nobody asked for."""
        return [str(answer) for left in self._left.values() for answer in left]
