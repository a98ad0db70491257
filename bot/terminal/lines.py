"""Events and questions as styled text. Pure.

`bot.terminal.screen` makes control characters visible when it prints.
"""

from __future__ import annotations

from bot.core.files import in_words
from bot.core.text import terminal_safe
from bot.terminal import decisions
from bot.terminal.decisions import StyledLine
from crewdeck.client import (
    Answer,
    Event,
    FileAttached,
    FileRefused,
    HumanInputCompleted,
    HumanInputRecorded,
    HumanInputRequired,
    Outcome,
    Question,
    RunCancelled,
    RunChanged,
    RunCompleted,
    RunFailed,
    RunProgress,
    RunStarted,
    StreamReset,
    TaskCompleted,
    TaskStarted,
)

_PLACES = {"slack": "in Slack", "http": "over the API", "console": "in the console", "teams": "in Teams"}


def one_line(text: str, longest: int = 72) -> str:
    """The text without line breaks, shortened to `longest` characters."""
    words = " ".join(terminal_safe(text).split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def of(event: Event) -> list[StyledLine]:  # noqa: C901, PLR0911, PLR0912 - one for each type
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
        case RunProgress():
            return [[("ansibrightblack", f"    {event.text}")]]
        case FileAttached():
            return [
                [("ansicyan", "  + "), ("", event.name), ("ansibrightblack", f"  {in_words(event.size)}")]
            ]
        case FileRefused():
            return [[("ansiyellow", "  ! "), ("", f"{event.name} can't be attached. {event.reason}")]]
        case HumanInputRequired():
            return asked(event)
        case HumanInputRecorded():
            return decisions.recorded(event, _place(event.surface))
        case HumanInputCompleted():
            return [
                settled(
                    event.action,
                    event.human_feedback,
                    event.answered_by,
                    event.surface,
                    override=event.override,
                )
            ]
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


def asked(question: HumanInputRequired | Question) -> list[StyledLine]:
    """The lines that show a question, in full: what a call does, its arguments, and who decides."""
    action = question.action
    lines = _titled(question, (action.title if action else "") or question.prompt)
    if action is not None:
        lines += decisions.call(action)
        if action.title and action.title != question.prompt:
            lines += [[("", line)] for line in _indented(question.prompt)]
    if question.context:
        lines += [[("", line)] for line in _indented(question.context)]
    lines += decisions.policy_lines(question.policy)
    if action is not None:
        lines.append([("ansibrightblack", f"    digest {decisions.short_digest(question.digest)}")])
    return lines + (decisions.progress_lines(question.progress) if isinstance(question, Question) else [])


def _titled(question: HumanInputRequired | Question, title: str) -> list[StyledLine]:
    mark = f"  ? {f'(round {question.round}) ' if question.round else ''}"
    first, *more = _indented(title)
    lines: list[StyledLine] = [[("ansiyellow bold", mark), ("bold", first.lstrip(" "))]]
    return lines + [[("bold", line)] for line in more]


def _indented(text: str) -> list[str]:
    """The text as indented lines, so that it can't imitate Crewdeck's own lines."""
    return [f"    {line}" for line in terminal_safe(text).split("\n")]


def settled(
    action: str, words: str, by: str | None, surface: str | None, *, override: bool = False
) -> StyledLine:
    """The line that shows an outcome and who decided."""
    mark = ("ansired", "  ✗ ") if action in {"reject", "expire", "cancel"} else ("ansigreen", "  ✓ ")
    if action in {"expire", "cancel"} or not by:
        return [mark, ("", words)]
    how = " as an administrator whom the policy doesn't name (override)" if override else ""
    return [mark, ("bold", by), ("", f" decided{_place(surface)}{how}: {words}")]


def _place(surface: str | None) -> str:
    return f" {_PLACES.get(surface, f'in {surface}')}" if surface else ""


def decided(outcome: Outcome) -> StyledLine:
    """The line that shows an outcome from the API."""
    by = outcome.answered_by
    return settled(
        outcome.action,
        outcome.human_feedback,
        by.name if by else None,
        by.surface if by else None,
        override=outcome.override,
    )


def own_answer(answer: Answer) -> list[StyledLine]:
    """The lines that confirm the person's own answer, and say how many more it takes."""
    done = ("ansigreen", "  ✓ ")
    if answer.status != "recorded":
        return [[done, ("", f"You decided: {answer.human_feedback}")]]
    what = decisions.DONE.get(answer.action, answer.action)
    rest = " · ".join(filter(None, (decisions.counted(answer.progress), decisions.needs(answer.progress))))
    if answer.action == "withdraw":
        return [[done, ("", f"Your answer is taken back: {rest}")]]
    already = " already, which counts once" if answer.repeated else ""
    back = f"    Take it back: crewdeck answer {answer.question_id} withdraw"
    return [[done, ("", f"You {what}{already}: {rest}")], [(decisions.DIM, back)]]


def _task(event: TaskStarted) -> str:
    of = f"/{event.total}" if event.total else ""
    return f"{event.number}{of} {one_line(event.task)}"
