"""Approvals of tools by name that guard nothing: a misspelt name must not open what it should close."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crewai import Crew
from crewai.flow.flow import Flow

from crews.definitions.definition import ToolEntry
from crews.definitions.gates import Gates

GUARDS_NOTHING = "is no tool of this crew, so nothing would be asked (its tools: {})"


def tools_of(crew: Crew) -> list[Any]:
    """All tools that the crew's agents and tasks have before it runs."""
    holders: list[Any] = [*crew.agents, *crew.tasks, *([crew.manager_agent] if crew.manager_agent else [])]
    return [tool for each in holders for tool in each.tools or ()]


def guarded_by(name: str, entry: ToolEntry, crew: Crew) -> list[Any]:
    """The tools of the crew before which this entry puts an approval."""
    alone = Gates({name: entry})
    return [tool for tool in tools_of(crew) if alone.declared(tool)]


def guarding_nothing(tools: Mapping[str, ToolEntry], built: Crew | Flow[Any]) -> Iterator[tuple[str, str]]:
    """The entries whose approval no tool gets, and what is wrong with each.

    Which tools a flow makes can't be known, nor those of MCP servers, before they are asked.
    """
    if not isinstance(built, Crew) or _gets_more_tools(built):
        return
    there_are = ", ".join(dict.fromkeys(str(tool.name) for tool in tools_of(built))) or "none"
    for name, entry in tools.items():
        if entry.approval is not None and not guarded_by(name, entry, built):
            yield name, GUARDS_NOTHING.format(there_are)


def named_only(tools: Mapping[str, ToolEntry]) -> dict[str, ToolEntry]:
    """The entries that mean tools by their names; a class that is named with `use` is there."""
    return {name: entry for name, entry in tools.items() if entry.use is None}


def _gets_more_tools(crew: Crew) -> bool:
    """Whether CrewAI adds tools when the crew runs: of MCP servers and applications, and for memories."""
    sources = ("mcps", "apps", "memory", "multimodal", "allow_code_execution")
    agents: list[Any] = [*crew.agents, *([crew.manager_agent] if crew.manager_agent is not None else [])]
    return bool(crew.memory) or any(vars(each).get(name) for each in agents for name in sources)
