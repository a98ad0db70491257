"""What is to be done about a tool call that may or may not have happened when its process died."""

from __future__ import annotations

from typing import Any, Literal, cast

OnInterrupted = Literal["retry", "ask", "fail"]
_NAME = "_crewdeck_on_interrupted"


def declare(tool: object, what: OnInterrupted) -> None:
    """Keep with the tool what its crew declares for it."""
    object.__setattr__(tool, _NAME, what)


def declared(tool: Any) -> OnInterrupted:  # noqa: ANN401 - CrewAI has several classes of tools
    """What its crew declares for the tool; `ask` if nothing."""
    return cast("OnInterrupted", getattr(tool, _NAME, "ask"))
