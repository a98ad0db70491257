"""Errors of crews: of a definition that can't be built, and of a question that nobody answers."""

from __future__ import annotations

import re
from typing import Self

from bot.core.errors import CrewdeckError
from crews.definitions.yaml_lines import Problem


class CrewBroken(CrewdeckError):  # noqa: N818 - says what happened, like the rest of the error tree
    """A definition can't be turned into a crew. `code`: crew_broken, missing_model or missing_key.

    Its message is what is wrong, then the remedy.
    """

    def __init__(
        self, wrong: str, code: str = "crew_broken", *, remedy: str = "", problem: Problem | None = None
    ) -> None:
        super().__init__(f"{wrong}. {remedy}" if remedy else wrong)
        #: Without the remedy. It may quote an exception of an author, so it can have several sentences.
        self.wrong = wrong.removesuffix(".")
        self.code = code
        #: Sentences; empty if there is none but to correct the definition.
        self.remedy = remedy
        #: What it is in the crew's files, with its place.
        self.problem = problem

    @classmethod
    def at(cls, problem: Problem) -> Self:
        """The error of a problem in the crew's files."""
        return cls(f"{problem}.", problem=problem)


class NotAnswered(RuntimeError):  # noqa: N818 - says what happened
    """People declined a form, or nobody answered in time. The message says which, and their words."""


_PACKAGE = re.compile(r"crewai\[[\w-]+\]")


def missing_package(said: str) -> str:
    """The extra of CrewAI that a model needs, `crewai[anthropic]`, where CrewAI says so; empty otherwise."""
    found = _PACKAGE.search(said)
    return found[0] if found else ""
