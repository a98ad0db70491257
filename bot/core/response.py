"""What people say to a question: one frozen value for each thing that can be said."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from bot.core.actor import Actor
from bot.core.question import Action
from bot.core.text import ValidText
from bot.core.value import Strict


class _Response(Strict):
    """What all of them have. Appended to what was said before, never changed."""

    actor: Actor
    #: The delivery that carried it: the same key of the same actor again is the same response.
    key: str
    #: Of what the actor was shown (`Question.digest`); empty: that is not known.
    digest: str = ""

    def same_as(self, other: Response) -> bool:
        """Whether the same person says the same, however it was delivered and whatever they were shown."""
        return _content(self) == _content(other)

    def repeats(self, other: Response) -> bool:
        """Whether it is `other`, delivered again, or says the same of the same person."""
        delivered_again = (self.actor.principal, self.key) == (other.actor.principal, other.key)
        return delivered_again or self.same_as(other)


class Approve(_Response):
    """Yes."""

    action: Literal[Action.APPROVE] = Action.APPROVE
    comment: ValidText = ""


class Reject(_Response):
    """No; the comment says why."""

    action: Literal[Action.REJECT] = Action.REJECT
    comment: ValidText = ""


class Choose(_Response):
    """One of a choice's options."""

    action: Literal[Action.CHOOSE] = Action.CHOOSE
    #: The option's id.
    value: str
    comment: ValidText = ""


class Reply(_Response):
    """An answer in words. It never approves."""

    action: Literal[Action.RESPOND] = Action.RESPOND
    #: The words.
    comment: ValidText


Response = Annotated[Approve | Reject | Choose | Reply, Field(discriminator="action")]
_ADAPTER: TypeAdapter[Response] = TypeAdapter(Response)

Sendable = Literal[Action.APPROVE, Action.REJECT, Action.CHOOSE, Action.RESPOND]
"""What a person can say; the other actions are outcomes that nobody sends."""


def make_response(
    action: Action,
    actor: Actor,
    *,
    key: str,
    value: str | None = None,
    comment: str = "",
    digest: str = "",
) -> Response:
    """The response of this action. A choice without a value chooses nothing, and fits no question.

    Raises ValueError for an action that is nobody's to send.
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
    """A response as it was written down. Raises ValidationError if this release doesn't understand it."""
    document = json.loads(stored)
    # What isn't said is null in those that the first release wrote.
    said = {name: value for name, value in document.items() if value is not None}
    return _ADAPTER.validate_python(said)


def _content(said: _Response) -> dict[str, object]:
    return said.model_dump(exclude={"key", "digest", "actor"}) | {
        "by": said.actor.principal,
        "on_behalf_of": said.actor.on_behalf_of,
    }
