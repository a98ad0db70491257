"""Crews and agents that the code of a flow makes for itself: they get what those of a crew have.

Nobody hands them to us, so they are met where CrewAI makes their executor.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from crewai import Agent, Crew
from crewai.agent import core

from crews.build import Nowhere, declare_tools, prepare
from crews.executor import CrewdeckExecutor
from crews.flows.course import COURSE


def install() -> None:
    """Let every agent of a flow ask people, and record its steps."""
    if getattr(Agent, "_crewdeck_installed", False):
        return
    core.AgentExecutor = CrewdeckExecutor  # type: ignore[attr-defined]  # `Agent.kickoff` takes no other
    for name in ("create_agent_executor", "_prepare_kickoff"):
        setattr(Agent, name, _equipped(getattr(Agent, name)))
    Crew.__private_attributes__["_task_output_handler"].default_factory = Nowhere
    Agent._crewdeck_installed = True  # type: ignore[attr-defined]  # noqa: SLF001 - a seam


def _equipped(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def equipped(agent: Agent, *args: Any, **kwargs: Any) -> Any:
        course = COURSE.get()
        if course is not None:
            prepare(agent)
            given: Iterable[Any] = [*(agent.tools or ()), *(kwargs.get("tools") or ())]
            declare_tools(given, course.tools)
        return original(agent, *args, **kwargs)

    return equipped
