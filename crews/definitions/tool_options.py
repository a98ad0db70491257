"""What a crew declares for its tools: what happens to a call that was interrupted, and may have happened."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, Literal, cast

from crews.definitions.definition import ToolEntry
from crews.definitions.exceptions import CrewBroken

OnInterrupted = Literal["retry", "ask", "fail"]
_NAME = "_crewdeck_on_interrupted"


def declare(tool: object, what: OnInterrupted) -> None:
    """Store the crew's declaration with the tool."""
    object.__setattr__(tool, _NAME, what)


def declared(tool: Any) -> OnInterrupted:  # noqa: ANN401 - CrewAI has several classes of tools
    """The crew's declaration for the tool; `ask` by default."""
    return cast("OnInterrupted", getattr(tool, _NAME, "ask"))


def declare_tools(given: Iterable[Any], entries: Iterable[ToolEntry]) -> None:
    """Store a factory's declarations with the tools of these classes. Raises CrewBroken."""
    kinds = [(import_class(entry.use), entry.on_interrupted) for entry in entries]
    for tool in given:
        for kind, on_interrupted in kinds:
            if isinstance(tool, kind):
                declare(tool, on_interrupted)


def import_class(reference: str) -> Any:  # noqa: ANN401 - a class of any kind
    """Import `module:Class`. Raises CrewBroken."""
    module, _, name = reference.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise CrewBroken(f"{reference} can't be imported: {error}") from error
