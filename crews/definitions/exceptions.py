"""Errors of crews: of a definition that can't be built, and of a question that nobody answers."""

from __future__ import annotations

from bot.core.errors import CrewdeckError
from crews.definitions.yaml_lines import Problem


class CrewBroken(CrewdeckError):  # noqa: N818 - says what happened, like the rest of the error tree
    """A definition can't be turned into a crew. `code`: crew_broken, missing_model or missing_key."""

    def __init__(self, message: str, code: str = "crew_broken", *, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.code = code
        #: What it is in the crew's files, with its place.
        self.problem = problem


class NotAnswered(RuntimeError):  # noqa: N818 - says what happened
    """People declined a form, or nobody answered in time. The message says which, and their words."""
