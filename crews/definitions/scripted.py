"""A scripted model that needs no key: it says the lines of its crew's script.

Which line comes next is read from the conversation alone: a run that is rebuilt goes on where it was.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import re
import time
from collections.abc import Mapping
from typing import Any, Self

from crewai.llms.base_llm import BaseLLM
from pydantic import Field, JsonValue

from crews.definitions.script import FILE, SCRIPTED, Script, ScriptLine

MAX_PAUSE_S = 10.0

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")


class ScriptedLLM(BaseLLM):
    """Answers with the task's next line in each turn, and repeats the last one."""

    model: str = SCRIPTED
    script: dict[str, list[ScriptLine]] = Field(default_factory=dict)
    inputs: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, script: Script, inputs: Mapping[str, JsonValue]) -> Self:
        return cls(model=SCRIPTED, script=script, inputs=dict(inputs))

    def supports_function_calling(self) -> bool:
        return True

    def get_input_tokens_count(self, messages: Any, tools: Any = None, response_model: Any = None) -> int:  # noqa: ARG002
        """Scripted answers cost nothing."""
        return 0

    def call(
        self,
        messages: Any,
        tools: Any = None,  # noqa: ARG002
        callbacks: Any = None,  # noqa: ARG002
        available_functions: Any = None,  # noqa: ARG002
        from_task: Any = None,
        from_agent: Any = None,  # noqa: ARG002
        response_model: Any = None,  # noqa: ARG002
    ) -> Any:
        said = messages if isinstance(messages, list) else []
        turn = sum(message.get("role") == "assistant" for message in said)
        line = self._line(getattr(from_task, "name", None) or "", turn)
        known = {**self.inputs, **_context(from_task), **_results(said)}
        time.sleep(_seconds(_filled(str(line.pause), known)))
        if line.call:
            return [_call(turn, name, _filled_all(args, known)) for name, args in line.call.items()]
        return _filled(line.say or "", known)

    def _line(self, task: str, turn: int) -> ScriptLine:
        lines = self.script.get(task)
        if not lines:
            raise ValueError(f"{FILE} has no lines for the task {task!r}")
        return lines[min(turn, len(lines) - 1)]


def _context(task: Any) -> dict[str, str]:
    """The outputs of the tasks before this one."""
    before = getattr(task, "context", None)
    return {each.name: each.output.raw for each in before if each.output} if isinstance(before, list) else {}


def _results(messages: list[dict[str, Any]]) -> dict[str, str]:
    """The latest result of each tool."""
    return {
        str(message.get("name")): str(message.get("content"))
        for message in messages
        if message.get("role") == "tool"
    }


def _call(turn: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"scripted_{turn}_{name}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _filled(text: str, known: Mapping[str, Any]) -> str:
    return _PLACEHOLDER.sub(lambda found: str(known.get(found[1], found[0])), text)


def _filled_all(value: Any, known: Mapping[str, Any]) -> Any:
    match value:
        case str():
            return _filled(value, known)
        case list():
            return [_filled_all(each, known) for each in value]
        case dict():
            return {key: _filled_all(each, known) for key, each in value.items()}
    return value


def _seconds(pause: str) -> float:
    try:
        return min(max(float(pause), 0.0), MAX_PAUSE_S)
    except ValueError:
        return 0.0
