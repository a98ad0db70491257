"""Access to what CrewAI's Flow keeps private: its definition, and its state."""

from __future__ import annotations

# ruff: noqa: ANN401, SLF001 - CrewAI says Any here, and private names of CrewAI are what this package is for
from collections.abc import Iterator
from typing import Any

from crewai.flow.flow import Flow
from crewai.flow.flow_definition import FlowHumanFeedbackDefinition


def human_feedback_of(flow: Flow[Any]) -> Iterator[tuple[str, FlowHumanFeedbackDefinition]]:
    """The methods that declare `@human_feedback`, by name, with what they declare."""
    for name, method in flow._definition.methods.items():
        if method.human_feedback is not None:
            yield name, method.human_feedback


def description_of(flow: Flow[Any]) -> str:
    """What the flow's own definition says of it."""
    return str(flow._definition.description or "")


def is_conversational(flow: Flow[Any]) -> bool:
    """Whether the flow takes one message of a conversation at a time (`handle_turn`)."""
    return flow._is_conversational_enabled()


class FlowAccess:
    """The flow of one run, for its replay (`crews.flows.replay.ReplayedFlow`)."""

    def __init__(self, flow: Flow[Any]) -> None:
        self.flow = flow

    @property
    def state(self) -> Any:
        return self.flow.state

    async def kickoff(self, inputs: dict[str, Any], state_id: str) -> Any:
        self.flow._stamp_state_id(state_id)
        return await self.flow.kickoff_async(inputs=inputs)

    def restore_state(self, state: Any) -> None:
        self.flow._restore_state(state)

    def has_feedback(self, method: str) -> bool:
        return self.flow._definition.methods[method].human_feedback is not None
