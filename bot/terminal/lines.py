"""What happened, in lines for people. Pure: events and questions in, styled text out.

What in it could act on a terminal is made visible by whoever prints it (`bot.terminal.screen`).
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
"""(style, text) one after the other; prompt_toolkit's styles."""

_PLACES = {"slack": "in Slack", "http": "over the API", "console": "in the console", "teams": "in Teams"}


def one_line(text: str, longest: int = 72) -> str:
    """The text without line breaks, cut where it is too long."""
    words = " ".join(terminal_safe(text).split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def of(event: Event) -> list[Line]:  # noqa: C901, PLR0911 - one for each type
    """The lines that tell of an event; none for what people needn't know."""
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
    """A question as it is put."""
    mark = f"  ? {f'(round {question.round}) ' if question.round else ''}"
    first, *more = _indented(question.prompt)
    lines: list[Line] = [[("ansiyellow bold", mark), ("bold", first.lstrip(" "))]]
    lines += [[("bold", line)] for line in more]
    if question.context:
        lines += [[("", line)] for line in _indented(question.context)]
    return lines


def _indented(text: str) -> list[str]:
    """The lines of a text, none of which then looks like one of ours."""
    return [f"    {line}" for line in terminal_safe(text).split("\n")]


def settled(action: str, words: str, by: str | None, surface: str | None) -> Line:
    """What was decided, and by whom."""
    mark = ("ansired", "  ✗ ") if action in {"reject", "expire", "cancel"} else ("ansigreen", "  ✓ ")
    if action in {"expire", "cancel"} or not by:
        return [mark, ("", words)]
    where = f" {_PLACES.get(surface, f'in {surface}')}" if surface else ""
    return [mark, ("bold", by), ("", f" decided{where}: {words}")]


def decided(outcome: Outcome) -> Line:
    """The same, from what the API says of a question."""
    by = outcome.answered_by
    return settled(
        outcome.action, outcome.human_feedback, by.name if by else None, by.surface if by else None
    )


def mine(outcome: Outcome) -> Line:
    """What I decided."""
    return [("ansigreen", "  ✓ "), ("", f"You decided: {outcome.human_feedback}")]


def _task(event: TaskStarted) -> str:
    of = f"/{event.total}" if event.total else ""
    return f"{event.number}{of} {one_line(event.task)}"
