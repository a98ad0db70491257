"""Events and questions as styled text. Pure.

`bot.terminal.screen` makes control characters visible when it prints.
"""

from __future__ import annotations

from bot.core.text import terminal_safe
from crewdeck.client import (
    Event,
    HumanInputCompleted,
    HumanInputRequired,
    Outcome,
    Question,
    RunCancelled,
    RunChanged,
    RunCompleted,
    RunFailed,
    RunStarted,
    StreamReset,
    TaskCompleted,
    TaskStarted,
)

Line = list[tuple[str, str]]
"""(style, text) fragments; the styles are those of prompt_toolkit."""

_PLACES = {"slack": "in Slack", "http": "over the API", "console": "in the console", "teams": "in Teams"}


def one_line(text: str, longest: int = 72) -> str:
    """The text without line breaks, shortened to `longest` characters."""
    words = " ".join(terminal_safe(text).split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def of(event: Event) -> list[Line]:  # noqa: C901, PLR0911 - one for each type
    """The lines that describe an event; none for events that people don't need."""
    match event:
        case RunStarted():
            return [[("bold", event.title or event.crew), ("ansibrightblack", f"  {event.execution_id}")]]
        case TaskCompleted():
            return [[("ansigreen", "  ✓ "), ("", _task(event))]]
        case TaskStarted():
            agent = f"  {event.agent}" if event.agent else ""
            return [[("ansicyan", "  • "), ("", _task(event)), ("ansibrightblack", agent)]]
        case RunChanged():
            return [[("ansicyan", "  • "), ("", event.change)]]
        case HumanInputRequired():
            return asked(event)
        case HumanInputCompleted():
            return [settled(event.action, event.human_feedback, event.answered_by, event.surface)]
        case RunCompleted():
            return [[("ansigreen bold", "Completed")], [("", event.result)]]
        case RunFailed():
            return [[("ansired bold", "Failed: "), ("", event.error.message or event.error.code)]]
        case RunCancelled():
            by = f" by {event.cancelled_by}" if event.cancelled_by else ""
            return [[("ansired bold", f"Cancelled{by}")]]
        case StreamReset():
            return [[("ansibrightblack", "That event is not known any more. All there is:")]]
    return []


def asked(question: HumanInputRequired | Question) -> list[Line]:
    """The lines that show a question."""
    mark = f"  ? {f'(round {question.round}) ' if question.round else ''}"
    first, *more = _indented(question.prompt)
    lines: list[Line] = [[("ansiyellow bold", mark), ("bold", first.lstrip(" "))]]
    lines += [[("bold", line)] for line in more]
    if question.context:
        lines += [[("", line)] for line in _indented(question.context)]
    return lines


def _indented(text: str) -> list[str]:
    """The text as indented lines, so that it can't imitate Crewdeck's own lines."""
    return [f"    {line}" for line in terminal_safe(text).split("\n")]


def settled(action: str, words: str, by: str | None, surface: str | None) -> Line:
    """The line that shows an outcome and who decided."""
    mark = ("ansired", "  ✗ ") if action in {"reject", "expire", "cancel"} else ("ansigreen", "  ✓ ")
    if action in {"expire", "cancel"} or not by:
        return [mark, ("", words)]
    where = f" {_PLACES.get(surface, f'in {surface}')}" if surface else ""
    return [mark, ("bold", by), ("", f" decided{where}: {words}")]


def decided(outcome: Outcome) -> Line:
    """The line that shows an outcome from the API."""
    by = outcome.answered_by
    return settled(
        outcome.action, outcome.human_feedback, by.name if by else None, by.surface if by else None
    )


def mine(outcome: Outcome) -> Line:
    """The line that confirms the person's own decision."""
    return [("ansigreen", "  ✓ "), ("", f"You decided: {outcome.human_feedback}")]


def _task(event: TaskStarted) -> str:
    of = f"/{event.total}" if event.total else ""
    return f"{event.number}{of} {one_line(event.task)}"
