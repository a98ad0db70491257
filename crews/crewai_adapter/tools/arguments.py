"""The arguments that models give to tools, checked where CrewAI parses them.

CrewAI reports invalid JSON to the model, but fails for JSON that is no object.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
from functools import wraps
from typing import Any

from crewai.agents import agent_executor
from crewai.tools.tool_failure import ToolFailure, ToolFailureReason
from crewai.utilities import agent_utils

from bot.core.json_text import MAX_DEPTH, too_deep
from crews.journal.serialization import in_valid_text

_KINDS = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}


def install() -> None:
    """Report arguments that no tool can be called with to the model."""
    original: Any = agent_utils.parse_tool_call_args
    if getattr(original, "_crewdeck_installed", False):
        return

    @wraps(original)
    def parse(func_args: Any, func_name: str, call_id: str, original_tool: Any = None) -> Any:
        try:
            arguments, refused = original(func_args, func_name, call_id, original_tool)
        except (ValueError, RecursionError) as error:  # Too many digits, or nested too deeply.
            return None, _refused(str(error), func_name, call_id, original_tool)
        if refused is not None:
            return None, refused
        if arguments is None:
            return {}, None
        if not isinstance(arguments, dict):
            given = _KINDS.get(type(arguments), type(arguments).__name__)
            return None, _refused(f"they are {given}", func_name, call_id, original_tool)
        if too_deep(arguments):
            why = f"they are nested more than {MAX_DEPTH} levels deep"
            return None, _refused(why, func_name, call_id, original_tool)
        return in_valid_text(arguments), None

    parse._crewdeck_installed = True  # type: ignore[attr-defined]  # noqa: SLF001 - a seam
    for module in (agent_utils, agent_executor):
        vars(module)["parse_tool_call_args"] = parse


def _refused(why: str, tool: str, call_id: str, original_tool: Any) -> dict[str, Any]:
    """What CrewAI records of a call whose arguments are no JSON, with this reason."""
    message = (
        f"Error: The arguments of the tool '{tool}' can't be used: {why}. "
        'Please call it with one JSON object of its parameters, such as {"name": "value"}.'
    )
    return {
        "call_id": call_id,
        "func_name": tool,
        "result": message,
        "from_cache": False,
        "original_tool": original_tool,
        "tool_failure": ToolFailure(
            message=message, reason=ToolFailureReason.INVALID_INPUT, code="no_object"
        ),
    }
