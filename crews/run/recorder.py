"""Every step of a run passes here: it is counted, may be stopped before, and is recorded.

Model calls (crews/crewai_adapter/models/llm.py) and tool calls (crews/crewai_adapter/tools/steps.py) pass
here as functions. A step that the journal knows is not taken again: it returns the recorded result.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools return anything
import json
from collections.abc import Callable
from typing import Any

from bot.core.text import valid_json
from crews.journal.journal import PROMPT
from crews.run.model_calls import ModelCalls
from crews.run.nondeterminism import NonDeterminism
from crews.run.questions import HumanQuestions
from crews.run.recorded_steps import RecordedSteps
from crews.run.session import RunSession
from crews.run.tool_calls import ToolCalls


class Recorder:
    """The recorder of one run. Called from any thread except the event loops' of the worker."""

    def __init__(self, run: RunSession, questions: HumanQuestions) -> None:
        self._run = run
        self._journal = run.history.journal
        self._nondeterminism = NonDeterminism(questions, self._journal, run.writer)
        self.steps = RecordedSteps(questions)
        self.models = ModelCalls(run, self.steps, self._nondeterminism)
        self.tools = ToolCalls(questions, self.steps, self.models)

    def delegated(self, call: Callable[[], Any]) -> Any:
        """Run a tool that delegates to another agent, whose steps are recorded one by one."""
        self._run.before_step()
        with self._nondeterminism.delegation():
            return call()

    def find_prompt(self, *content: object) -> tuple[str, list[Any] | None]:
        """An agent's prompt is about to be rendered: its name, and what was rendered before."""
        self._run.before_step()
        name = self._journal.name(self._run.identity.scope, PROMPT, *content)
        return name, self._journal.found(name)

    def record_prompt(self, name: str, messages: list[Any]) -> list[Any]:
        """Dates, memory and edited texts may be in it: what was rendered once stays as it is.

        Returns the messages with valid texts.
        """
        said: list[Any] = [valid_json(each) for each in messages]
        written = json.dumps(said, default=str)
        self._run.writer.write(name, written)
        self._journal.recorded(name, json.loads(written))
        return said
