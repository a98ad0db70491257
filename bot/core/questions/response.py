"""Responses to questions: one frozen model per action."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter

from bot.core.people.actor import Actor
from bot.core.questions.question import Action
from bot.core.questions.tool_call import sha256_of
from bot.core.text import ValidJson, ValidText
from bot.core.value import Strict


class _Response(Strict):
    """The common fields. Responses are appended and never changed."""

    actor: Actor
    #: The idempotency key of the delivery: the same key of the same actor is the same response.
    key: str
    #: The digest of what the actor was shown (`Question.digest`); empty if unknown.
    digest: str = ""
    #: When it was recorded. Set by the store.
    at: int = 0

    def same_as(self, other: Response) -> bool:
        """Whether this says the same, whoever says it, and regardless of delivery and digest."""
        return sha256_of(_content(self)) == sha256_of(_content(other))


class Approve(_Response):
    """Approval, possibly of something that the actor edited."""

    action: Literal[Action.APPROVE] = Action.APPROVE
    comment: ValidText = ""
    #: Reviews only: the edited text.
    value: ValidText | None = None
    #: Gates only: the edited arguments; all of them, or those that were changed.
    arguments: dict[str, ValidJson] | None = None
    #: An administrator decides, although the policy doesn't name them.
    override: bool = False

    @property
    def edits(self) -> bool:
        return self.value is not None or self.arguments is not None


class Reject(_Response):
    """Rejection; the comment gives the reason. Of a form: it is declined."""

    action: Literal[Action.REJECT] = Action.REJECT
    comment: ValidText = ""
    override: bool = False


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


class Submit(_Response):
    """The values of a form, by field."""

    action: Literal[Action.SUBMIT] = Action.SUBMIT
    values: dict[str, ValidJson]
    comment: ValidText = ""


class Withdraw(_Response):
    """Takes the actor's response back, as long as nothing is settled."""

    action: Literal[Action.WITHDRAW] = Action.WITHDRAW
    comment: ValidText = ""


class UnexpectedParts(ValueError):  # noqa: N818 - what it says, as its kin in core/errors.py
    """A response was given parts that its action doesn't have."""

    def __init__(self, action: Action, parts: tuple[str, ...]) -> None:
        super().__init__(f"`{action}` takes no {', '.join(parts)}")
        self.parts = parts


Response = Annotated[Approve | Reject | Choose | Reply | Submit | Withdraw, Field(discriminator="action")]
_ADAPTER: TypeAdapter[Response] = TypeAdapter(Response)


def make_response(  # noqa: PLR0913 - the parts of all kinds of responses
    action: Action,
    actor: Actor,
    *,
    key: str,
    value: str | None = None,
    comment: str = "",
    digest: str = "",
    values: Mapping[str, JsonValue] | None = None,
    arguments: Mapping[str, JsonValue] | None = None,
    override: bool = False,
) -> Response:
    """Build the response for an action, of the parts that the action has.

    A choice without a value matches no question. Raises ValueError for an action that can't be sent, and for
    a part that the action doesn't have.
    """
    given: dict[str, object] = {
        "value": value,
        "values": values,
        "arguments": arguments,
        "override": override or None,
    }
    parts = {name: part for name, part in given.items() if part is not None}
    if action not in _PARTS:
        raise ValueError(f"{action} is nobody's to send")
    if surplus := parts.keys() - _PARTS[action]:
        raise UnexpectedParts(action, tuple(sorted(surplus)))
    if action is Action.CHOOSE:
        parts.setdefault("value", "")
    if action is Action.SUBMIT:
        parts.setdefault("values", {})
    common = {"action": action, "actor": actor, "key": key, "digest": digest, "comment": comment}
    return _ADAPTER.validate_python({**common, **parts})


_PARTS: dict[Action, frozenset[str]] = {
    Action.APPROVE: frozenset({"value", "arguments", "override"}),
    Action.REJECT: frozenset({"override"}),
    Action.CHOOSE: frozenset({"value"}),
    Action.RESPOND: frozenset(),
    Action.SUBMIT: frozenset({"values"}),
    Action.WITHDRAW: frozenset(),
}
"""The parts that a response has besides the common ones and its comment."""


def parse_response(stored: str) -> Response:
    """Parse a stored response. Raises ValidationError if this release doesn't know its format."""
    document = json.loads(stored)
    # The first release stored absent values as null.
    said = {name: value for name, value in document.items() if value is not None}
    return _ADAPTER.validate_python(said)


def _content(said: _Response) -> dict[str, object]:
    return said.model_dump(mode="json", exclude={"key", "digest", "actor", "at"}) | {
        "on_behalf_of": said.actor.on_behalf_of
    }
