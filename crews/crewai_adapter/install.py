"""Applies every patch of CrewAI, once for the whole process."""

from __future__ import annotations

from crews import terminal
from crews.crewai_adapter import (
    a2a,
    agents,
    arguments,
    attempts,
    bus,
    checkpoints,
    class_cache,
    executor,
    flow,
    hooks,
    interpolation,
    llm,
    openai,
    output_files,
    project_config,
    rpm,
    tool_schemas,
    tools,
)

PATCHES = (
    llm,
    arguments,
    tools,
    tool_schemas,
    hooks,
    rpm,
    interpolation,
    output_files,
    flow,
    attempts,
    agents,
    a2a,
    executor,
    openai,
    bus,
    class_cache,
    project_config,
    checkpoints,
)


def install() -> None:
    """Apply them. Again, it does nothing. Raises AttributeError where CrewAI lacks a name that is patched."""
    terminal.switch_off()
    for each in PATCHES:
        each.install()
