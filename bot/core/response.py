"""Responses to questions: one frozen model per action."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from bot.core.actor import Actor
from bot.core.question import Action
from bot.core.text import ValidText
from bot.core.value import Strict


class _Response(Strict):
    """The common fields. Responses are appended and never changed."""

    actor: Actor
    #: The idempotency key of the delivery: the same key of the same actor is the same response.
    key: str
    #: The digest of what the actor was shown (`Question.digest`); empty if unknown.
    digest: str = ""

    def same_as(self, other: Response) -> bool:
        """Whether the same person gives the same answer, regardless of delivery and digest."""
        return _content(self) == _content(other)

    def repeats(self, other: Response) -> bool:
        """Whether this is another delivery of `other`, or the same answer of the same person."""
        delivered_again = (self.actor.principal, self.key) == (other.actor.principal, other.key)
        return delivered_again or self.same_as(other)


class Approve(_Response):
    """Approval."""

    action: Literal[Action.APPROVE] = Action.APPROVE
    comment: ValidText = ""


class Reject(_Response):
    """Rejection; the comment gives the reason."""

    action: Literal[Action.REJECT] = Action.REJECT
    comment: ValidText = ""


class Choose(_Response):
    """The choice of an option."""

    action: Literal[Action.CHOOSE] = Action.CHOOSE
    #: The id of the option.
    value: str
    comment: ValidText = ""


class Reply(_Response):
    """An answer in words. Never an approval."""

    action: Literal[Action.RESPOND] = Action.RESPOND
    #: The answer.
    comment: ValidText


Response = Annotated[Approve | Reject | Choose | Reply, Field(discriminator="action")]
_ADAPTER: TypeAdapter[Response] = TypeAdapter(Response)

Sendable = Literal[Action.APPROVE, Action.REJECT, Action.CHOOSE, Action.RESPOND]
"""The actions that people can send; the other actions are outcomes only."""


def make_response(
    action: Action,
    actor: Actor,
    *,
    key: str,
    value: str | None = None,
    comment: str = "",
    digest: str = "",
) -> Response:
    """Build the response for an action. A choice without a value matches no question.

    Raises ValueError for an action that can't be sent as a response.
    """
    match action:
        case Action.APPROVE:
            return Approve(actor=actor, key=key, digest=digest, comment=comment)
        case Action.REJECT:
            return Reject(actor=actor, key=key, digest=digest, comment=comment)
        case Action.CHOOSE:
            return Choose(actor=actor, key=key, digest=digest, value=value or "", comment=comment)
        case Action.RESPOND:
            return Reply(actor=actor, key=key, digest=digest, comment=comment)
        case Action.EXPIRE | Action.CANCEL:
            raise ValueError(f"{action} is nobody's to send")


def parse_response(stored: str) -> Response:
    """Parse a stored response. Raises ValidationError if this release doesn't know its format."""
    document = json.loads(stored)
    # The first release stored absent values as null.
    said = {name: value for name, value in document.items() if value is not None}
    return _ADAPTER.validate_python(said)


def _content(said: _Response) -> dict[str, object]:
    return said.model_dump(exclude={"key", "digest", "actor"}) | {
        "by": said.actor.principal,
        "on_behalf_of": said.actor.on_behalf_of,
    }
