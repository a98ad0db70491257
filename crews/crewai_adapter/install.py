"""Applies every patch of CrewAI, once for the whole process."""

from __future__ import annotations

from crews import terminal
from crews.crewai_adapter import (
    a2a,
    agents,
    arguments,
    at_import,
    attempts,
    branches,
    bus,
    checkpoints,
    class_cache,
    executor,
    executor_thread,
    flow,
    hooks,
    interpolation,
    llm,
    mcp,
    openai,
    output_files,
    project_config,
    rpm,
    tool_cache,
    tool_schemas,
    tool_usage,
    tools,
)

PATCHES = (
    llm,
    arguments,
    tools,
    tool_usage,
    tool_cache,
    mcp,
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
    executor_thread,
    branches,
    openai,
    bus,
    class_cache,
    project_config,
    checkpoints,
    at_import,
)


def install() -> None:
    """Apply them. Again, it does nothing. Raises AttributeError where CrewAI lacks a name that is patched."""
    terminal.forbid_asking()
    for each in PATCHES:
        each.install()
