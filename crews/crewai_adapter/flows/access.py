"""Access to what CrewAI's Flow keeps private: its definition, and its state."""

from __future__ import annotations

# ruff: noqa: ANN401, SLF001 - CrewAI says Any here, and private names of CrewAI are what this package is for
import asyncio
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from crewai.events.event_bus import crewai_event_bus
from crewai.events.types.flow_events import (
    ConversationTurnCompletedEvent,
    ConversationTurnFailedEvent,
    ConversationTurnStartedEvent,
)
from crewai.flow.conversational import ConversationState
from crewai.flow.flow import Flow
from crewai.flow.flow_definition import FlowHumanFeedbackDefinition
from pydantic import BaseModel

from crews.flows.conversation import Reply
from crews.flows.output_text import text_of

CONVERSATION_FIELDS = frozenset(ConversationState.model_fields)
"""The fields of a state in which a conversational flow keeps its conversation."""


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


def missing_conversation_fields(flow: Flow[Any]) -> list[str]:
    """The fields that the state of a conversational flow needs and doesn't have."""
    has = type(flow.state).model_fields if isinstance(flow.state, BaseModel) else {}
    return sorted(CONVERSATION_FIELDS - has.keys())


class FlowAccess:
    """The flow of one run, for its replay (`crews.flows.replay.ReplayedFlow`)."""

    def __init__(self, flow: Flow[Any]) -> None:
        self.flow = flow

    @property
    def state(self) -> Any:
        return self.flow.state

    async def kickoff(self, inputs: dict[str, Any] | None, state_id: str) -> Any:
        self.flow._stamp_state_id(state_id)
        return await self.flow.kickoff_async(inputs=inputs)

    def restore_state(self, state: Any) -> None:
        self.flow._restore_state(state)

    @property
    def conversational(self) -> bool:
        return is_conversational(self.flow)

    async def take_turn(self, message: str, inputs: dict[str, Any], state_id: str) -> Reply:
        """As CrewAI's `handle_turn`, on the current loop, and without its database.

        CrewAI would read the state from its database on this machine, which other workers don't have.
        """
        flow = self.flow
        flow._reset_turn_execution_state()
        self.restore_turn_progress({"replied": False, "recorded": []})
        flow._pending_user_message = message
        about: dict[str, Any] = {"flow_name": flow.name or type(flow).__name__, "session_id": state_id}
        crewai_event_bus.emit(flow, ConversationTurnStartedEvent(type="conversation_turn_started", **about))
        try:
            # CrewAI adds inputs, even none at all, to the state by building it anew.
            await self.kickoff(inputs or None, state_id)
        except Exception as error:
            crewai_event_bus.emit(
                flow, ConversationTurnFailedEvent(type="conversation_turn_failed", error=error, **about)
            )
            raise
        finally:
            flow._pending_user_message = None
        crewai_event_bus.emit(
            flow, ConversationTurnCompletedEvent(type="conversation_turn_completed", **about)
        )
        return Reply(self._reply(), ended=bool(flow.state.ended))

    def _reply(self) -> str:
        """The assistant's messages since the last one of the user."""
        newest = takewhile(lambda each: each["role"] != "user", reversed(self.flow.conversation_messages))
        said = [text_of(each["content"]).strip() for each in newest if each["role"] == "assistant"]
        return "\n\n".join(each for each in reversed(said) if each)

    async def end_conversation(self) -> None:
        await asyncio.to_thread(self.flow.finalize_session_traces)

    def turn_progress(self) -> dict[str, Any]:
        """Whether there is a reply yet, and the texts of results that agents' records keep from being one."""
        flow = self.flow
        if not self.conversational:
            return {}
        recorded = [flow._stringify_result(each) for each in flow._turn_recorded_results]
        return {"replied": flow._assistant_reply_appended, "recorded": recorded}

    def restore_turn_progress(self, progress: dict[str, Any]) -> None:
        self.flow._assistant_reply_appended = progress["replied"]
        self.flow._turn_recorded_results = list(progress["recorded"])

    def has_feedback(self, method: str) -> bool:
        return self.flow._definition.methods[method].human_feedback is not None
