"""A run's place in CrewAI: its execution id and its provider of human input; then the kickoff itself."""

from __future__ import annotations

from typing import Any

from crewai import Crew
from crewai.core.providers.human_input import set_provider
from crewai.crews.utils import enable_agent_streaming
from crewai.events import crewai_event_bus
from crewai.events.base_events import reset_emission_counter
from crewai.events.utils.console_formatter import set_suppress_console_output
from crewai.execution import set_execution_uuid

from crews.crewai_adapter.human_input_provider import HumanInputProvider


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


def kick_off(crew: Crew, inputs: dict[str, Any]) -> str:
    """Run the crew; the text of its output. Holds its thread."""
    if crew.stream:
        # As CrewAI does, but not in another thread, which would propagate only subclasses of Exception.
        enable_agent_streaming(crew.agents)
        crew.stream = False
    output: Any = crew.kickoff(inputs=inputs)
    return str(output.raw)
