"""The terminal shows the value of an argument as chats do: quoted where it could be another value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import JsonValue

from bot.core.events.event import Body, Event
from bot.core.events.question_events import recorded_event, required_event
from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.questions.question import APPROVAL_OPTIONS, Question, QuestionKind, Source
from bot.core.questions.response import Approve
from bot.core.questions.tool_call import ToolCall
from bot.surfaces.chat.wording import gates
from bot.surfaces.http.questions.question_views import CallView
from bot.terminal import decisions, lines
from crewdeck.client import ToolCall as ShownCall
from crewdeck.client.events import parse
from tests.unit.core.questions.test_tool_call import DEFINITIONS, TAKES_TEXT

ADA = Actor(surface="slack", tenant="T0", user_id="U0ADA", name="Ada")


def gate(value: JsonValue, schema: dict[str, Any]) -> Question:
    arguments = {"it": value}
    parameters: dict[str, Any] = {"properties": {"it": schema}, "$defs": DEFINITIONS}
    return Question(
        id="q",
        run_id="r",
        kind=QuestionKind.APPROVAL,
        source=Source.GATE,
        prompt="Pay it?",
        options=APPROVAL_OPTIONS,
        policy=Policy(deciders=(ADA.principal,)),
        call=ToolCall(
            tool="pay",
            title="Pay {it}",
            arguments=arguments,
            proposed=arguments,
            editable=("it",),
            parameters=parameters,
        ),
    )


def printed(body: Body) -> list[str]:
    """What the terminal prints of an event, as it comes over the API."""
    event = Event(run_id="r", seq=1, at=0, body=body)
    shown = lines.of(parse(json.dumps(event.public()), ""))
    return ["".join(text for _, text in line).strip() for line in shown]


@pytest.mark.parametrize("value", ["12", "true", "null", "[1]", "Acme", "Acme ", "", 12, True, None])
@pytest.mark.parametrize("schema", [schema for schema, _ in TAKES_TEXT])
def test_all_that_shows_a_value_shows_it_in_the_same_way(value: JsonValue, schema: dict[str, Any]) -> None:
    question = gate(value, schema)
    call = question.call
    assert call is not None
    [_, in_chat] = gates.as_text(call).split("    | ")
    edit = Approve(actor=ADA, key="k", arguments={"it": value})
    view = ShownCall.model_validate(CallView.of(call, "").model_dump())
    assert f"it: {in_chat}".strip() in printed(required_event(question))
    assert f"it: {in_chat}".strip() in printed(recorded_event(question, edit))
    assert decisions.value_of(view, "it", value) == in_chat
    assert call.summary == f"Pay {in_chat}"
