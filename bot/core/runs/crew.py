"""Crews as workers announce them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from pydantic import Field

from bot.core.forms import fields
from bot.core.people.actor import Membership
from bot.core.people.policy import Approvers, PolicyDefinition
from bot.core.questions.question import Deadline, QuestionKind
from bot.core.text import ValidText
from bot.core.value import Value


class Crew(Value):
    """What people need to know about a crew to start it."""

    name: ValidText
    title: ValidText
    description: ValidText = ""
    inputs: tuple[fields.Field, ...] = ()
    main_input: str | None = None
    approvers: Approvers = Approvers()
    cancellers: Approvers = Approvers()
    allowed_memberships: tuple[Membership, ...] = Field(default=(Membership.MEMBER,), alias="admits")
    #: All policies by which people may have to decide in its runs: of approvers, tasks and tools.
    policies: tuple[PolicyDefinition, ...] = ()
    #: By question kind; the key "" is the default for all other kinds.
    deadlines: dict[str, Deadline] = Field(default_factory=dict)

    def deadline(self, kind: QuestionKind) -> Deadline:
        return self.deadlines.get(kind) or self.deadlines.get("") or Deadline()


class CrewProblem(Value):
    """Why a crew, or all crews of a project, can't be offered, or may not be what its author thinks it is.

    It is offered as it was before an edit, or another one has its name.
    """

    #: The crew's name, or the project's where none of its crews is known.
    name: ValidText
    #: One line, with file and line where there is one.
    problem: ValidText
    remedy: ValidText = ""
    #: Nothing is wrong: the worker that will offer the crews is starting.
    starting: bool = False

    @property
    def sentence(self) -> str:
        return f"{self.problem}. {self.remedy}" if self.remedy else self.problem


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def problem_of(name: str, problems: Iterable[N]) -> N | None:
    """What keeps the crew of this name from being offered, or the project that it may belong to."""
    wanted = name.casefold()
    found = [
        each
        for each in problems
        if wanted == each.name.casefold() or wanted.startswith(f"{each.name.casefold()}-")
    ]
    return max(found, key=lambda each: len(each.name), default=None)
