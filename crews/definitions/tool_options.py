"""What a crew declares for its tools and tasks, stored with CrewAI's objects."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from bot.core.people.policy import Approvers
from crews.definitions.definition import ToolEntry
from crews.definitions.exceptions import CrewBroken

OnInterrupted = Literal["retry", "ask", "fail"]
_NAME = "_crewdeck_on_interrupted"
_ENTRY = "_crewdeck_entry"
_MADE_FROM = "_crewdeck_made_from"
_COPY_OF = "_crewdeck_copy_of"
_REVIEWERS = "_crewdeck_reviewers"
_NOT_ASKING = "_crewdeck_not_asking"


def declare(tool: object, what: OnInterrupted) -> None:
    """Store the crew's declaration with the tool."""
    object.__setattr__(tool, _NAME, what)


def declared(tool: Any) -> OnInterrupted:  # noqa: ANN401 - CrewAI has several classes of tools
    """The crew's declaration for the tool; `ask` by default."""
    return cast("OnInterrupted", getattr(tool, _NAME, "ask"))


def declare_entry(tool: object, name: str, made_from: object = None) -> None:
    """Remember the entry of crew.yaml that the tool was made from: its name, its class and its arguments."""
    object.__setattr__(tool, _ENTRY, name)
    object.__setattr__(tool, _MADE_FROM, made_from)


def entry_name(tool: Any) -> str | None:  # noqa: ANN401 - CrewAI has several classes of tools
    """The entry of crew.yaml that the tool was made from; None for one that code made."""
    return cast("str | None", getattr(tool, _ENTRY, None))


def made_from(tool: Any) -> object | None:  # noqa: ANN401 - CrewAI has several classes of tools
    """The class and the arguments that crew.yaml gives the tool; None for one that code made."""
    found: object | None = getattr(tool, _MADE_FROM, None)
    return found


def reference_of(tool: Any) -> tuple[str, ...]:  # noqa: ANN401 - CrewAI has several classes of tools
    """The class, or the tool, that crew.yaml names for it (`module:name`); none for one that code made."""
    match made_from(tool):
        case (str() as reference, *_) if reference:
            return (reference,)
    return ()


def declare_copy(copy: object, tool: object) -> None:
    """Store with the copy of a tool of which tool it is one."""
    object.__setattr__(copy, _COPY_OF, tool)


def declare_reviewers(task: object, approvers: Approvers) -> None:
    """Store with the task who reviews it."""
    object.__setattr__(task, _REVIEWERS, approvers)


def reviewers_of(task: object) -> Approvers | None:
    """Who reviews the task; None: the crew's approvers."""
    return cast("Approvers | None", getattr(task, _REVIEWERS, None))


def declare_not_asking(agent: object) -> None:
    """Store with the agent that it doesn't have the tool ask_human."""
    object.__setattr__(agent, _NOT_ASKING, True)


def is_not_asking(agent: object) -> bool:
    """Whether the crew says that the agent doesn't have the tool ask_human."""
    return bool(getattr(agent, _NOT_ASKING, False))


def make(reference: str, arguments: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - several classes
    """A new tool: an instance of the class, or a copy of the tool that it names.

    Raises CrewBroken, and what the class raises if it doesn't take the arguments.
    """
    found = import_class(reference)
    if isinstance(found, type):
        return found(**(arguments or {}))
    if arguments:
        raise CrewBroken(f"{reference} is a tool and no class, so it takes no arguments.")
    if not hasattr(found, "model_copy"):
        raise CrewBroken(f"{reference} is neither a class of tools nor a tool.")
    copy = found.model_copy()
    object.__setattr__(copy, "current_usage_count", 0)
    return copy


def is_made_by(tool: Any, reference: str) -> bool:  # noqa: ANN401 - CrewAI has several classes of tools
    """Whether a tool is of this class, or is the tool that it names. Raises CrewBroken."""
    found = import_class(reference)
    if isinstance(found, type):
        return isinstance(tool, found)
    function = getattr(found, "func", None)
    return (
        found is tool
        or found is getattr(tool, _COPY_OF, None)
        or (function is not None and getattr(tool, "func", None) is function)
    )


def declare_tools(given: Iterable[Any], entries: Iterable[ToolEntry]) -> None:
    """Store a factory's declarations with the tools of these classes. Raises CrewBroken."""
    known = [(entry.use, entry) for entry in entries if entry.use is not None]
    for tool in given:
        for reference, entry in known:
            if is_made_by(tool, reference):
                declare(tool, entry.on_interrupted)


def import_class(reference: str) -> Any:  # noqa: ANN401 - a class of any kind
    """Import `module:Class`. Raises CrewBroken."""
    module, _, name = reference.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise CrewBroken(f"{reference} can't be imported: {error}") from error
