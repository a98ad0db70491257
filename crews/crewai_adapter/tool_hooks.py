"""`request_human_input` of hooks before and after tool calls, which asks people and not the console.

A hook may take no answer for an agreement ("Press Enter to continue"), and CrewAI goes on if a hook fails.
So where nobody answers, the call is not made.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from crewai.hooks.dispatch import HookAborted
from crewai.hooks.tool_hooks import ToolCallHookContext

from bot.core.question import Action, QuestionKind
from crews.human_input.arguments import Parameters
from crews.run.context import CURRENT, AgentAtWork, RunContext
from crews.run.questions import Asking


def install() -> None:
    """Let hooks of tool calls ask people."""
    context: Any = ToolCallHookContext
    if getattr(context, "_crewdeck_installed", False):
        return
    context.request_human_input = _asking(context.request_human_input)
    context._crewdeck_installed = True  # noqa: SLF001 - a seam


def _asking(original: Callable[..., str]) -> Callable[..., str]:
    @wraps(original)
    def request(
        context: ToolCallHookContext,
        prompt: str,
        default_message: str = "Press Enter to continue, or provide feedback:",
    ) -> str:
        run = CURRENT.get()
        if run is None:
            return original(context, prompt, default_message)
        outcome = run.questions.ask_in_thread(_question(run, context, prompt, default_message)).outcome
        if outcome is None or outcome.action is not Action.RESPOND:
            raise HookAborted(reason="nobody answered before the deadline")
        return outcome.comment.strip()

    return request


def _question(run: RunContext, context: ToolCallHookContext, prompt: str, hint: str) -> Asking:
    agent: Any = context.agent
    call = f"{context.tool_name}({json.dumps(_shown(run, context), ensure_ascii=False, default=str)})"
    said = [call] if context.tool_result is None else [call, context.tool_result]
    asking = Asking(kind=QuestionKind.TEXT, prompt=f"{prompt}\n{hint}".strip(), context="\n\n".join(said))
    return run.asking_of(AgentAtWork(agent, context.task), asking)


def _shown(run: RunContext, context: ToolCallHookContext) -> dict[str, Any]:
    """The arguments of the call, without secrets."""
    tool = getattr(context.tool, "_original_tool", None) or context.tool
    gate = run.gates.of(tool) if tool is not None else None
    hide = gate.hide if gate is not None else ()
    schema = getattr(context.tool, "args_schema", None)
    return Parameters(context.tool_name, schema, hide).without_secrets(context.tool_input)
