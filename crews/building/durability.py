"""What of a crew can't be durable: refused when it is built, or told when it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from crewai import Crew
from crewai.flow.flow import Flow

from crews.crewai_adapter.flows.access import is_conversational, missing_conversation_fields
from crews.crewai_adapter.tools import a2a
from crews.definitions.exceptions import CrewBroken

_NOTICES = "_crewdeck_notices"


def examine(name: str, built: Crew | Flow[Any]) -> None:
    """Store with a crew what is told of it (`notices_of`). Raises CrewBroken for what isn't run at all."""
    if isinstance(built, Flow):
        if is_conversational(built) and (missing := missing_conversation_fields(built)):
            raise CrewBroken(
                f"{name} is a conversational flow, and its state has no {', '.join(missing)}",
                remedy="Derive the state from crewai.flow.conversational.ConversationState.",
            )
        return
    for each in _agents(built):
        if (pushed := a2a.pushed_to(each)) is not None:
            raise a2a.refused_push(f"The A2A agent {pushed} of {each.role.strip()!r} in {name}")
    for task in built.tasks:
        if getattr(task, "input_files", None) and find_spec("crewai_files") is None:
            raise CrewBroken(
                f"The task {task.name or task.description[:40]!r} of {name} has `input_files`, which CrewAI "
                "leaves out without the package crewai-files",
                remedy='Install it for the workers: pip install "crewai[file-processing]"',
            )
    object.__setattr__(built, _NOTICES, tuple(_notices(built)))


def notices_of(built: object) -> tuple[str, ...]:
    """What people should know of the crew before it runs."""
    found: tuple[str, ...] = getattr(built, _NOTICES, ())
    return found


def _agents(crew: Crew) -> list[Any]:
    return [each for each in (*crew.agents, crew.manager_agent) if each is not None]


def _notices(crew: Crew) -> Iterator[str]:
    for each in _agents(crew):
        if getattr(each, "max_execution_time", None) is not None:
            yield (
                f"agent {each.role.strip()!r}: `max_execution_time` isn't applied, since it would count the "
                "time that people take; `limits.time` of the crew counts working time"
            )
    if any(getattr(each, "memory", None) for each in (crew, *_agents(crew))):
        yield (
            "what it remembers is kept on the worker's machine (CREWAI_STORAGE_DIR): workers elsewhere don't "
            "have it, and a task that is interrupted may be remembered twice"
        )
    if any(getattr(each, "checkpoint", None) for each in (crew, *_agents(crew))):
        yield "`checkpoint` isn't used: runs go on from Crewdeck's journal, step by step"
