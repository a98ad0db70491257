"""A model call as it is identified, and a step with its recorded result."""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools return anything
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from bot.core.ports.journal import FAILED
from crews.journal.exceptions import read_error
from crews.journal.fingerprints import messages_for_model, shape
from crews.journal.serialization import decode


@dataclass(frozen=True)
class ModelCall:
    """What a model is asked, and what its answer may be."""

    messages: Any
    #: What it may call: names, and the names of their arguments.
    tools: tuple[tuple[str, tuple[str, ...]], ...] = ()
    answers_as: type[BaseModel] | None = None
    #: Who asks.
    agent: object = None

    @property
    def names(self) -> list[str]:
        """The names of the tools, sorted."""
        return sorted(name for name, _ in self.tools)

    @property
    def offered(self) -> dict[str, Any]:
        """What is recorded with the answer, so that later changes can be described."""
        return {"tools": self.names} if self.tools else {}

    @property
    def content(self) -> tuple[object, ...]:
        """What the call is known by."""
        wanted = shape(self.answers_as) if self.answers_as else None
        return messages_for_model(self.messages), self.tools, wanted


@dataclass(frozen=True)
class RecordedStep:
    """A step, with its result if the journal has one."""

    name: str
    recorded: dict[str, Any] | None = None

    def result(self, expected: type[BaseModel] | None = None) -> Any:
        """What was recorded. Raises that if it is an exception, and Unreadable."""
        recorded = self.recorded or {}
        if FAILED in recorded:
            raise read_error(recorded)
        return decode(recorded["result"], expected)
