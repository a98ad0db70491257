"""Crews as workers announce them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from bot.core.actor import Membership
from bot.core.policy import Approvers
from bot.core.question import Deadline, QuestionKind
from bot.core.text import ValidText
from bot.core.value import Value


class InputKind(StrEnum):
    """The type of an input. `text` is a multi-line string."""

    STRING = "string"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    DATE = "date"


class InputField(Value):
    """One input of a crew."""

    name: ValidText
    type: InputKind = InputKind.STRING
    required: bool = False
    description: ValidText = ""
    choices: tuple[ValidText, ...] = ()
    default: str | int | float | bool | None = None


class Crew(Value):
    """What people need to know about a crew to start it."""

    name: ValidText
    title: ValidText
    description: ValidText = ""
    inputs: tuple[InputField, ...] = ()
    main_input: str | None = None
    approvers: Approvers = Approvers()
    cancellers: Approvers = Approvers()
    allowed_memberships: tuple[Membership, ...] = Field(default=(Membership.MEMBER,), alias="admits")
    #: By question kind; the key "" is the default for all other kinds.
    deadlines: dict[str, Deadline] = Field(default_factory=dict)

    def deadline(self, kind: QuestionKind) -> Deadline:
        return self.deadlines.get(kind) or self.deadlines.get("") or Deadline()
