"""`request_human_input` of hooks around tool calls and model calls, which asks people and not the console.

A hook may take no answer for an agreement ("Press Enter to continue"), and CrewAI goes on if a hook fails.
So where nobody answers, the call is not made.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from crewai.hooks.dispatch import HookAborted
from crewai.hooks.llm_hooks import LLMCallHookContext
from crewai.hooks.tool_hooks import ToolCallHookContext
from crewai.utilities.message_utils import message_content_text

from bot.core.questions.question import Action, QuestionKind
from crews.human_input.arguments import Parameters
from crews.run.context import CURRENT, AgentAtWork, RunContext
from crews.run.questions import Asking


def install() -> None:
    """Let hooks ask people."""
    for context, shown in ((ToolCallHookContext, _tool_call), (LLMCallHookContext, _model_call)):
        hooked: Any = context
        if not getattr(hooked, "_crewdeck_installed", False):
            hooked.request_human_input = _asking(hooked.request_human_input, shown)
            hooked._crewdeck_installed = True  # noqa: SLF001 - a seam


def _asking(original: Callable[..., str], shown: Callable[[RunContext, Any], str]) -> Callable[..., str]:
    """`shown`: what is needed to decide it."""

    @wraps(original)
    def request(
        context: ToolCallHookContext | LLMCallHookContext,
        prompt: str,
        default_message: str = "Press Enter to continue, or provide feedback:",
    ) -> str:
        run = CURRENT.get()
        if run is None:
            return original(context, prompt, default_message)
        agent: Any = context.agent
        who = AgentAtWork(agent, context.task)
        asking = Asking(
            kind=QuestionKind.TEXT,
            prompt=f"{prompt}\n{default_message}".strip(),
            context=shown(run, context),
        )
        outcome = run.questions.ask_in_thread(run.asking_of(who, asking)).outcome
        if outcome is None or outcome.action is not Action.RESPOND:
            raise HookAborted(reason="nobody answered before the deadline")
        return outcome.comment.strip()

    return request


def _tool_call(run: RunContext, context: ToolCallHookContext) -> str:
    """The call and, after it, its result."""
    call = f"{context.tool_name}({json.dumps(_arguments(run, context), ensure_ascii=False, default=str)})"
    return call if context.tool_result is None else f"{call}\n\n{context.tool_result}"


def _model_call(_run: RunContext, context: LLMCallHookContext) -> str:
    """The message that the model is sent last or, after the call, its answer."""
    if context.response is not None:
        return str(context.response)
    return message_content_text(context.messages[-1]) if context.messages else ""


def _arguments(run: RunContext, context: ToolCallHookContext) -> dict[str, Any]:
    """The arguments of the call, without secrets."""
    tool = getattr(context.tool, "_original_tool", None) or context.tool
    gate = run.gates.of(tool) if tool is not None else None
    hide = gate.hide if gate is not None else ()
    schema = getattr(context.tool, "args_schema", None)
    return Parameters(context.tool_name, schema, hide).without_secrets(context.tool_input)
