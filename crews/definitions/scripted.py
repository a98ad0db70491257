"""A scripted model that needs no key: it reads its lines from the crew's folder.

`script.yaml` holds the lines of each task, under the task's name:

    write:
      - call: {ask_human: {question: "Publish this about {topic}?", kind: approval}}
        pause: "{pace}"
      - say: "Done. {ask_human}"

`{name}` is an input, what an earlier task in the context came to, or the latest result of that tool.
Which line comes next is read from the conversation alone: a run that is rebuilt goes on where it was.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from crewai.llms.base_llm import BaseLLM
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from crews.definitions import yaml_lines
from crews.definitions.validation import did_you_mean
from crews.definitions.yaml_lines import Problem

SCRIPTED = "scripted"
"""The name of this model in `crew.yaml`."""
FILE = "script.yaml"
MAX_PAUSE_S = 10.0

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")


class Line(BaseModel):
    """What the model says in one turn: words, or calls of tools."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    say: str | None = None
    call: dict[str, dict[str, JsonValue]] = {}
    #: Seconds that it takes; a number or a template of one.
    pause: str | float = 0


Script = dict[str, list[Line]]
_SCRIPT = TypeAdapter(Script)


def read_script(folder: Path) -> Script:
    """The lines in a crew's folder, by task. Raises Unreadable and ValidationError."""
    return _SCRIPT.validate_python(yaml_lines.read(folder / FILE).content)


def script_problems(folder: Path, tasks: Iterable[str]) -> Iterator[Problem]:
    """What is wrong with the script of a crew with these tasks."""
    try:
        page = yaml_lines.read(folder / FILE)
    except yaml_lines.Unreadable as error:
        yield error.problem
        return
    try:
        script = _SCRIPT.validate_python(page.content)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield page.problem(each["loc"], each["msg"])
    else:
        for name in script.keys() - set(tasks):
            yield page.problem(
                (name,), f"{name} is no task of tasks.yaml", "unknown_name", did_you_mean(name, tasks)
            )
        for name in set(tasks) - {task for task, lines in script.items() if lines}:
            yield page.problem((), f"has no lines for the task {name}", "required", "Add them.")


class ScriptedLLM(BaseLLM):
    """Answers with the task's next line in each turn, and repeats the last one."""

    model: str = SCRIPTED
    script: dict[str, list[Line]] = Field(default_factory=dict)
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

    def _line(self, task: str, turn: int) -> Line:
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
