"""Conversational flows: people are shown each reply, and what they write is the next turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bot.core.questions.question import Action, QuestionKind, Source
from crews.run.context import RunContext
from crews.run.questions import Asking

EXIT = frozenset({"exit", "quit"})
"""Messages that end a conversation, as in CrewAI's own `Flow.chat`."""
HINT = "Your reply goes on with the conversation; “exit” ends it."
NO_REPLY = "There is no reply to that. What next?"


@dataclass(frozen=True)
class Reply:
    """The result of one turn of a conversation."""

    #: What people are shown; empty if the flow has no reply for them.
    text: str
    #: The flow has ended the conversation.
    ended: bool


Turn = Callable[[str, dict[str, Any]], Awaitable[Reply]]
"""Takes a turn with this message, and with inputs, which only the first turn has."""


async def converse(run: RunContext, turn: Turn, inputs: dict[str, Any]) -> str:
    """Hold the conversation until it ends; the last reply.

    The first message is the run's main input, or else people are asked for it. The conversation ends when the
    flow says so, when somebody writes `exit` or `quit`, and when nobody replies in time. Raises RunExit.
    """
    reply = Reply("", ended=False)
    message = _first_message(run, inputs) or await _message(run, _opening(run))
    while message is not None:
        reply, inputs = await turn(message, inputs), {}
        message = None if reply.ended else await _message(run, reply.text or NO_REPLY)
    return reply.text


def _first_message(run: RunContext, inputs: dict[str, Any]) -> str:
    given = inputs.get(run.claim.run.crew.main_input or "")
    return given.strip() if isinstance(given, str) else ""


def _opening(run: RunContext) -> str:
    return f"What would you like to say to {run.claim.run.crew.title}?"


async def _message(run: RunContext, shown: str) -> str | None:
    """What people write next; None if they end the conversation."""
    asking = Asking(
        kind=QuestionKind.TEXT,
        prompt=shown,
        context=HINT,
        source=Source.TASK,
        asker=run.claim.run.crew.title,
    )
    outcome = (await run.questions.ask(asking)).outcome
    said = outcome.comment.strip() if outcome is not None and outcome.action is Action.RESPOND else ""
    return None if not said or said.lower() in EXIT else said
