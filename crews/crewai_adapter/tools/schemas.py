"""The arguments of `ask_human` are described once in a process.

CrewAI derives the JSON Schema of a tool's arguments, and the words that prompts have of it, several times for
each task. For `ask_human`, which every agent has, that takes milliseconds each time: half of what a small run
costs. Schemas of other tools are left alone: their classes may describe themselves differently each time.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache, wraps
from typing import Any

from crewai.tools import base_tool, structured_tool
from crewai.utilities import agent_utils

from crews.human_input.ask_human import AskHumanArgs

MAX_DESCRIPTIONS = 64
"""Texts that are kept. Authors may give the tool a name and a description of their own."""


def install() -> None:
    """Patch the places where agents' tools are described, once per process."""
    patched: Any = structured_tool
    if getattr(patched, "_crewdeck_installed", False):
        return
    described = _described_once(structured_tool.format_description_for_llm)
    for module in (structured_tool, base_tool):
        module.format_description_for_llm = described  # type: ignore[attr-defined]
    agent_utils.generate_model_description = _generated_once(agent_utils.generate_model_description)  # type: ignore[attr-defined]
    patched._crewdeck_installed = True  # noqa: SLF001 - a seam


def _described_once(original: Callable[..., str]) -> Callable[..., str]:
    """The words that prompts have of a tool."""
    once = lru_cache(MAX_DESCRIPTIONS)(original)

    @wraps(original)
    def describe(name: str, args_schema: Any, description: str) -> str:
        call = once if args_schema is AskHumanArgs else original
        return call(name, args_schema, description)

    return describe


def _generated_once(original: Callable[..., Any]) -> Callable[..., Any]:
    """The schema that models are offered a tool with. Each caller gets its own, as before."""
    once = lru_cache(original)

    @wraps(original)
    def generate(model: Any, **options: Any) -> Any:
        return deepcopy(once(model, **options)) if model is AskHumanArgs else original(model, **options)

    return generate
