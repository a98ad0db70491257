"""Applies every patch of CrewAI, once for the whole process."""

from __future__ import annotations

from crews import terminal
from crews.crewai_adapter import at_import, bus, checkpoints, class_cache, interpolation, project_config
from crews.crewai_adapter.execution import (
    agents,
    attempts,
    branches,
    executor,
    executor_thread,
    hooks,
    output_files,
)
from crews.crewai_adapter.flows import flow
from crews.crewai_adapter.models import llm, openai, rpm
from crews.crewai_adapter.tools import a2a, arguments, mcp
from crews.crewai_adapter.tools import cache as tool_cache
from crews.crewai_adapter.tools import calls as tools
from crews.crewai_adapter.tools import schemas as tool_schemas
from crews.crewai_adapter.tools import usage as tool_usage

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
