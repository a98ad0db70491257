"""Tools with `max_usage_count` that several runs share, such as functions with `@tool`: each counts its own.

CrewAI counts uses in the tool itself, and begins anew whenever an agent gets it. A run would lift the limit
of another one, or use it up. So a second run that needs such a tool at the same time gets a copy.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable

from crewai.tools import BaseTool

from crews.definitions.tool_options import declare_copy
from crews.run.context import RunContext

_OWNER = "_crewdeck_owner"
_LOCK = threading.Lock()
_COPIES: weakref.WeakKeyDictionary[RunContext, dict[int, BaseTool]] = weakref.WeakKeyDictionary()
"""The copies of each run, by the `id` of the tool."""


def tools_of_run(run: RunContext, tools: Iterable[BaseTool]) -> list[BaseTool]:
    """The tools, of which no other run uses those that have a limit."""
    return [each if getattr(each, "max_usage_count", None) is None else _own(run, each) for each in tools]


def _own(run: RunContext, tool: BaseTool) -> BaseTool:
    with _LOCK:
        owner: weakref.ref[RunContext] | None = getattr(tool, _OWNER, None)
        holder = owner() if owner is not None else None
        if holder is run:
            return tool
        copies = _COPIES.setdefault(run, {})
        if id(tool) not in copies and (holder is None or holder.stopped is not None):
            object.__setattr__(tool, _OWNER, weakref.ref(run))
            return tool
        if id(tool) not in copies:
            copies[id(tool)] = _copy(run, tool)
        return copies[id(tool)]


def _copy(run: RunContext, tool: BaseTool) -> BaseTool:
    copy = tool.model_copy()
    object.__setattr__(copy, _OWNER, weakref.ref(run))
    declare_copy(copy, tool)
    copy.current_usage_count = 0
    return copy
