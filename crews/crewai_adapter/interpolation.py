"""Inputs are inserted into a crew's texts, and texts into prompts, once and literally.

CrewAI replaces one placeholder after the other, so that `{tone}` in the value of `topic`, or `{tools}` in a
task's description, are replaced as well. Here that is put right for the whole process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from types import SimpleNamespace
from typing import Any

from crewai import Crew, Task
from crewai import task as crewai_task
from crewai.agents import agent_executor
from crewai.agents.agent_builder import base_agent
from crewai.tasks.llm_guardrail import LLMGuardrail
from crewai.utilities import prompts, string_utils

from crews.definitions.placeholders import filled
from crews.run.context import CURRENT

_BRACE = "\ufdd0\ufdd2"
"""An opening brace of a value, while CrewAI looks for placeholders around it: characters that no text has."""
_HIDE = {"{": _BRACE, "\ufdd0": "\ufdd0\ufdd1"}
_SHOW = {hidden: shown for shown, hidden in _HIDE.items()}


def install() -> None:
    """Patch CrewAI's interpolation, once per process."""
    if getattr(Task, "_crewdeck_interpolation", False):
        return
    once = _once(string_utils.interpolate_only)
    for module in (string_utils, base_agent, crewai_task):
        module.interpolate_only = once  # type: ignore[attr-defined]
    build = prompts.Prompts._build_prompt  # noqa: SLF001 - the seam
    prompts.Prompts._build_prompt = _of_agent(build)  # type: ignore[method-assign]  # noqa: SLF001
    executor = agent_executor.AgentExecutor
    executor._format_prompt = staticmethod(_of_task(executor._format_prompt))  # type: ignore[assignment,method-assign]  # noqa: SLF001
    interpolate = Task.interpolate_inputs_and_add_conversation_history
    Task.interpolate_inputs_and_add_conversation_history = _with_guardrails(interpolate)  # type: ignore[method-assign]
    Crew._interpolate_inputs = _known(Crew._interpolate_inputs)  # type: ignore[method-assign]  # noqa: SLF001
    Task._crewdeck_interpolation = True  # type: ignore[attr-defined]  # noqa: SLF001


def _once(interpolate_only: Callable[..., str]) -> Callable[..., str]:
    """Insert inputs into a text. CrewAI's own validation still applies."""

    @wraps(interpolate_only)
    def interpolate(input_string: str | None, inputs: dict[str, Any]) -> str:
        interpolate_only(input_string=input_string, inputs=inputs)
        return filled(input_string or "", inputs)

    return interpolate


def _of_agent(build: Callable[..., str]) -> Callable[..., str]:
    """Role, goal and backstory in the template of a prompt; what is in them is no part of the template."""

    @wraps(build)
    def built(self: prompts.Prompts, *args: Any, **kwargs: Any) -> str:
        words = {name: _hidden(getattr(self.agent, name)) for name in ("role", "goal", "backstory")}
        return build(self.model_copy(update={"agent": SimpleNamespace(**words)}), *args, **kwargs)

    return built


def _of_task(format_prompt: Callable[[str, dict[str, str]], str]) -> Callable[[str, dict[str, str]], str]:
    """The same for the task and the tools. This is the last step, so braces are restored."""

    @wraps(format_prompt)
    def formatted(prompt: str, inputs: dict[str, Any]) -> str:
        hidden = {name: _hidden(text) if isinstance(text, str) else text for name, text in inputs.items()}
        return _shown(format_prompt(prompt, hidden))

    return formatted


def _hidden(text: str) -> str:
    return re.sub(r"[{\ufdd0]", lambda found: _HIDE[found[0]], text)


def _shown(text: str) -> str:
    return re.sub(r"\ufdd0[\ufdd1\ufdd2]", lambda found: _SHOW[found[0]], text)


def _with_guardrails(interpolate: Callable[..., None]) -> Callable[..., None]:
    """Insert inputs into guardrails in words, too. Braces that are no input stay, as CrewAI allows there."""

    @wraps(interpolate)
    def interpolated(task: Task, inputs: Mapping[str, Any]) -> None:
        interpolate(task, inputs)
        for guardrail in _guardrails(task):
            template = getattr(guardrail, "_crewdeck_template", guardrail.description)
            guardrail._crewdeck_template = template  # type: ignore[attr-defined]  # noqa: SLF001 - kept for another kickoff
            guardrail.description = filled(template, inputs)

    return interpolated


def _guardrails(task: Task) -> Iterator[LLMGuardrail]:
    for each in (task._guardrail, *task._guardrails):  # noqa: SLF001 - nothing public tells
        if isinstance(each, LLMGuardrail):
            yield each


def _known(interpolate: Callable[..., None]) -> Callable[..., None]:
    """Update the names that the run shows: a `before_kickoff` may have changed the inputs."""

    @wraps(interpolate)
    def interpolated(crew: Crew, inputs: dict[str, Any]) -> None:
        interpolate(crew, inputs)
        run = CURRENT.get()
        if run is not None:
            run.identity.interpolated(crew, inputs)

    return interpolated
