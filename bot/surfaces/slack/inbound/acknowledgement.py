"""What Slack is answered: that a request has arrived, what a person sees at once, what a modal is to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bot.surfaces.chat.inbound.interactions import SILENT, Reply
from bot.surfaces.chat.wording.forms import WHOLE_FORM
from bot.surfaces.slack.renderer import render_form, render_message

OK = 200


@dataclass(frozen=True)
class Acknowledgement:
    """The answer to one request."""

    status: int = OK
    #: JSON that Slack acts on, or a text for whoever looks at the request.
    body: dict[str, Any] | str = ""


NOTHING = Acknowledgement()
MALFORMED = Acknowledgement(400, "not something that Slack sends")
FAILED = Acknowledgement(500)
SEND_AGAIN = Acknowledgement(503)

Carry = Callable[[Reply], tuple[Acknowledgement, Reply]]
"""The acknowledgement that carries a reply, and what of the reply it can't carry."""


class Ack:
    """Takes the reply to one request, and keeps the acknowledgement that carries it."""

    def __init__(self, carry: Carry) -> None:
        self._carry = carry
        self.given = NOTHING

    async def __call__(self, reply: Reply) -> Reply:
        self.given, left = self._carry(reply)
        return left


def of_command(reply: Reply) -> tuple[Acknowledgement, Reply]:
    """A command's acknowledgement shows its text to the person."""
    if reply.say is None:
        return NOTHING, reply
    rendered = render_message(reply.say)
    body = {"text": rendered["text"], "response_type": "ephemeral"}
    if rendered["blocks"]:
        body["blocks"] = rendered["blocks"]
    return Acknowledgement(body=body), replace(reply, say=None)


def of_press(reply: Reply) -> tuple[Acknowledgement, Reply]:
    """A press is acknowledged with nothing."""
    return NOTHING, reply


def of_modal(reply: Reply, first_input: str) -> tuple[Acknowledgement, Reply]:
    """A modal stays open with what is wrong in it, shows another form, or closes."""
    if reply.errors:
        errors = {first_input if at == WHOLE_FORM else at: why for at, why in reply.errors.items()}
        return Acknowledgement(body={"response_action": "errors", "errors": errors}), SILENT
    if reply.form is not None:
        body = {"response_action": "update", "view": render_form(reply.form)}
        return Acknowledgement(body=body), replace(reply, form=None, instead=None)
    return NOTHING, reply
