"""A run's place in CrewAI: its execution id and its provider of human input; then the kickoff itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crewai import Crew
from crewai.core.providers.human_input import set_provider
from crewai.crews.utils import enable_agent_streaming
from crewai.events import crewai_event_bus
from crewai.events.base_events import reset_emission_counter
from crewai.events.utils.console_formatter import set_suppress_console_output
from crewai.execution import set_execution_uuid
from crewai.project import annotations as project_annotations
from crewai.project.wrappers import DecoratedMethod

from crews.crewai_adapter.execution.human_input_provider import HumanInputProvider
from crews.definitions.prepared_inputs import names_set_by


def enter(run_id: str, provider: HumanInputProvider) -> None:
    """Let CrewAI find these in the current context."""
    # Where a module made a crew when it was imported, all contexts share what CrewAI registers crews in.
    crewai_event_bus.reset_runtime_state()
    set_provider(provider)
    set_execution_uuid(run_id)
    suppress_console()
    reset_emission_counter()


def suppress_console() -> None:
    """Keep CrewAI from printing in the current context; a Flow prints as soon as it is made."""
    set_suppress_console_output(True)


def prepared_inputs(crew: Crew) -> frozenset[str]:
    """The inputs that the crew's `before_kickoff` sets itself: people needn't give them."""
    return frozenset(name for function in _before_kickoff(crew) for name in names_set_by(function))


def _before_kickoff(crew: Crew) -> Iterator[Callable[..., Any]]:
    """The functions as they are written: those of a class with @CrewBase are wrapped twice."""
    for callback in crew.before_kickoff_callbacks:
        if inspect.isfunction(callback) and callback.__module__ == project_annotations.__name__:
            hook = inspect.getclosurevars(callback).nonlocals.get("hook")
            yield hook.unwrap() if isinstance(hook, DecoratedMethod) else callback
        else:
            yield callback


def kick_off(crew: Crew, inputs: Mapping[str, Any]) -> str:
    """Run the crew; the text of its output. Holds its thread.

    `inputs`: all of the crew's, empty where they were not given. Those that its `before_kickoff` sets are
    left to it then, so that it finds them missing as under `crewai run`.
    """
    if crew.stream:
        # As CrewAI does, but not in another thread, which would propagate only subclasses of Exception.
        enable_agent_streaming(crew.agents)
        crew.stream = False
    left = {name: "" for name in prepared_inputs(crew) if inputs.get(name) == ""}
    if left:
        crew.before_kickoff_callbacks.append(lambda prepared: left | (prepared or {}))
    output: Any = crew.kickoff(inputs={name: value for name, value in inputs.items() if name not in left})
    return str(output.raw)
