"""The model that gives a test's answers in place of whatever models a crew has."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import json
from collections.abc import Mapping
from typing import Any, Self

from crewai.llms.base_llm import BaseLLM
from pydantic import Field

from bot.core.runs.run import RunError
from crews.run.context import CURRENT
from crews.testing.script import Exhausted, ModelAnswer, ModelCall, Script, ToolRequest

NO_ANSWER = "test_has_no_answer"


class AnsweringModel(BaseLLM):
    """Takes its answers from a script."""

    script: Any = Field(exclude=True)

    @classmethod
    def of(cls, script: Script) -> Self:
        return cls(model="crewdeck-testing", script=script)

    def supports_function_calling(self) -> bool:
        return True

    def get_input_tokens_count(self, messages: Any, tools: Any = None, response_model: Any = None) -> int:  # noqa: ARG002
        """Scripted answers cost nothing."""
        return 0

    def call(
        self,
        messages: Any,
        tools: Any = None,
        callbacks: Any = None,  # noqa: ARG002
        available_functions: Any = None,  # noqa: ARG002
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,
        **_: Any,
    ) -> Any:
        script: Script = self.script
        try:
            answer = script.answer(_asked(messages, tools, from_task, from_agent))
        except Exhausted as error:
            run = CURRENT.get()
            if run is None:
                raise
            raise run.stop(RunError(code=NO_ANSWER, message=str(error))) from error
        return _given(answer, response_model, len(script.calls))


def _asked(messages: Any, tools: Any, task: Any, agent: Any) -> ModelCall:
    said = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
    offered = [each.get("function", each).get("name", "") for each in tools or () if isinstance(each, dict)]
    return ModelCall(
        getattr(task, "name", None) or "",
        str(getattr(agent, "role", "")).strip(),
        tuple(dict(each) for each in said),
        tuple(map(str, offered)),
    )


def _given(answer: ModelAnswer, response_model: Any, number: int) -> Any:
    match answer:
        case Exception():
            raise answer
        case ToolRequest():
            return [_tool_call(answer, number, 1)]
        case str():
            return answer if response_model is None else response_model.model_validate_json(answer)
        case Mapping():
            return json.dumps(answer) if response_model is None else response_model.model_validate(answer)
        case _:
            return [_tool_call(each, number, place) for place, each in enumerate(answer, start=1)]


def _tool_call(request: ToolRequest, number: int, place: int) -> dict[str, Any]:
    return {
        "id": f"call_{number}_{place}",
        "type": "function",
        "function": {"name": request.tool, "arguments": dict(request.arguments)},
    }
