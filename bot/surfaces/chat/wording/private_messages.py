"""What is said privately: help, lists, one run's state, choices between one's runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.core import ids
from bot.core.questions.question import Question
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.core.runs.waiting import Wait, WaitFor
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import QuestionCard, question_card
from bot.surfaces.chat.formatted_text import (
    Bold,
    ChannelName,
    Code,
    Command,
    FormattedText,
    Link,
    Mention,
    Part,
    Time,
    Untrusted,
    joined,
)
from bot.surfaces.chat.messages import (
    Actions,
    Block,
    Button,
    Limits,
    Message,
    Option,
    Paragraph,
    Select,
    text_message,
)
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.shortening import length, short
from bot.surfaces.chat.wording import policies, question_messages

TITLE_UNITS = 100
TEXT_UNITS = 500
"""How much is shown of a description, a reason or an error."""
PROMPT_UNITS = 200
NO_WAITS: Mapping[str, Wait] = {}
NOBODY: Mapping[str, str] = {}

STATES = {
    RunStatus.QUEUED: "queued",
    RunStatus.RUNNING: "running",
    RunStatus.INPUT_REQUIRED: "waiting for an answer",
    RunStatus.COMPLETED: "completed",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "cancelled",
}

USAGE: tuple[FormattedText, ...] = (
    (
        "• ", Command("start <crew> [name=value ...] [what it is about]"),
        " starts a crew",
    ),
    ("• ", Command("list"), " shows the crews and what they need"),
    ("• ", Command("status [run]"), " shows your runs, or one"),
    ("• ", Command("cancel [run]"), " stops a run"),
    ("• ", Command("console"), " opens all of it in your browser"),
    ("• ", Command("link"), " makes you one person here and where else you are signed in"),
    (
        "Or mention me: ", Code('@Crewdeck start demo topic="tide mills"'),
        "; in a thread, the run lives in that thread.",
    ),
    ("Answer a crew's question with its buttons, or reply to it in words.",),
)  # fmt: skip


def unknown_button() -> Message:
    """A button of an older or newer release."""
    return text_message("This button does nothing any more. ", Command("status"), " shows how things are.")


# ── crews ───────────────────────────────────────────────────────────────────────────────────────────────────


def usage(problem: FormattedText = ()) -> Message:
    """How to speak to the app, after what was not understood."""
    return text_message(*joined([problem, *USAGE] if problem else USAGE))


def unknown_word(word: str, verb: str) -> Message:
    """A word that is no command, but nearly one."""
    return usage(("I don't know ", Untrusted(word), ". Did you mean ", Code(verb), "?"))


def unknown_crew(problem: str, meant: str | None, crews: Iterable[str]) -> Message:
    """A word that is no crew, with the crew that was perhaps `meant`, or else all of them."""
    about = Untrusted(problem, TEXT_UNITS, "plain")
    if meant:
        return usage((about, " Did you mean ", Untrusted(f"start {meant}"), "?"))
    return usage((about, " There is: ", *_names(crews), "."))


def catalogue(known: Message, limits: Limits, waiting: Sequence[QuestionCard] = ()) -> Message:
    """What waits for the person who asked, and the crews that are `known` to them (`crew_list.shown`)."""
    if not waiting:
        return known
    # Paragraphs of their own: however much waits, no crew is left out for it.
    asked = _message(_waiting(waiting), limits, *_showing(waiting, limits))
    return Message((*asked.summary, "\n", *known.summary), (*asked.blocks, *known.blocks))


def _waiting(waiting: Sequence[QuestionCard]) -> list[FormattedText]:
    """Questions that this person may decide."""
    if not waiting:
        return []
    lines: list[FormattedText] = [(Bold("Waiting for you"),)]
    for number, card in enumerate(waiting, start=1):
        run = (Untrusted(card.title, TITLE_UNITS, "bold"), ", run ", Code(ids.short(card.run_id)))
        lines.append((f"{number}. ", *run, ": ", Untrusted(card.prompt, PROMPT_UNITS)))
        lines += [("    ", *each) for each in policies.progress_lines(card)]
    return lines


def _showing(waiting: Sequence[QuestionCard], limits: Limits) -> list[Actions]:
    """What opens the first of them, so that they can be decided here wherever their runs live."""
    shown = [
        question_messages.showing(card, limits, f"Show {number}", str(number))
        for number, card in enumerate(waiting[: limits.buttons], start=1)
    ]
    row = tuple(each for each in shown if each is not None)
    return [Actions(row)] if row else []


def _names(crews: Iterable[str]) -> FormattedText:
    listed = [part for name in crews for part in (", ", Untrusted(name))]
    return tuple(listed[1:]) or ("none yet",)


def problems(crew: Crew, wrong: Mapping[str, str], limits: Limits) -> Message:
    """Why a crew was not started."""
    lines: list[FormattedText] = [("I can't start ", crew_title(crew), ":")]
    lines += [("• ", Untrusted(name), " ", short_text(why)) for name, why in wrong.items()]
    return _message(lines, limits)


def fill_in(crew: Crew, draft: str) -> Message:
    """A button to the form of a crew's inputs, where there is no way to open it at once."""
    text = (crew_title(crew), " needs some more from you before it can start.")
    return Message(text, (Paragraph(text), Actions((open_start(crew, draft),))))


def open_start(crew: Crew, draft: str) -> Button:
    """Opens the form of a crew's inputs."""
    spoken = f"Fill in what {crew.title} needs"
    return Button("Fill in...", actions.OPEN_START, Target(draft).encode(), spoken, "primary")


def crew_title(crew: Crew) -> Untrusted:
    """A crew's title, in bold."""
    return Untrusted(crew.title, TITLE_UNITS, "bold")


def short_text(text: str) -> Untrusted:
    """A description, a reason or an error of others."""
    return Untrusted(text, TEXT_UNITS, "plain")


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────


def named(run: Run) -> FormattedText:
    """A run as people know it."""
    return (crew_title(run.crew), " (", Code(ids.short(run.id)), ")")


def started(run: Run) -> Message:
    """The answer to who typed a command; the thread follows."""
    return text_message("Starting ", *named(run), ". Its thread opens here.")


def cancelled(run: Run) -> Message:
    """The answer to who cancelled it."""
    return text_message("Cancelled ", *named(run), ".")


def over(run: Run) -> Message:
    """Somebody wants to cancel what has ended."""
    return text_message(*named(run), f" is over already: {STATES[run.status]}.")


def not_yours_to_cancel(run: Run) -> Message:
    """The answer to who may not."""
    return text_message(*named(run), " isn't yours to cancel. Ask ", *policies.deciders(run.cancellers), ".")


def run_line(run: Run, surface: str, wait: Wait | None = None) -> FormattedText:
    """A run in a line, with where it is, and what it waits for to be taken."""
    why: FormattedText = (". ", short_text(wait.message)) if wait else ()
    by = (Time(run.created_at), " by ", Mention(run.requester.principal))
    return (*named(run), f": {STATES[run.status]}", *_where(run, surface), ", started ", *by, *why)


def run_state(
    run: Run,
    asked: Sequence[Question],
    paused: str | None,
    platform: Capabilities,
    wait: Wait | None = None,
    notification_failures: Mapping[str, str] = NOBODY,
    note: str = "",
) -> Message:
    """One run, in full. `notification_failures`: why nobody could be told of a question who may answer it.

    `note`: what its crew said of its progress last.
    """
    lines = [run_line(run, platform.surface)]
    if note:
        lines.append(("• 💬 ", Untrusted(note, PROMPT_UNITS, "plain")))
    if wait is not None and wait.code is not WaitFor.PAUSED:
        lines.append(("• ", short_text(wait.message)))
    for question in (each for each in asked if each.open):
        prompt = Untrusted(question.prompt, PROMPT_UNITS)
        lines.append(("• waits for ", *policies.deciders(question.policy), ": ", prompt))
        lines += [("    ", *each) for each in policies.progress_lines(question_card(run, question))]
        if why := notification_failures.get(question.id):
            lines.append(("  ⚠️ None of them could be told (", short_text(why), "). It is tried again."))
    if run.error is not None:
        lines.append(("• ", short_text(run.error.message)))
    if paused and not run.status.over:
        lines.append(_paused(paused))
    return _message([*lines, ("Run ", Code(run.id))], platform.limits)


def runs_state(
    mine: Sequence[Run],
    here: Sequence[Run],
    paused: str | None,
    platform: Capabilities,
    waits: Mapping[str, Wait] = NO_WAITS,
    waiting: Sequence[QuestionCard] = (),
) -> Message:
    """One's own runs and those of a channel, with a choice for more about one."""
    lines = [*([_paused(paused)] if paused else []), *_waiting(waiting)]
    if mine:
        lines += [(Bold("Your runs"),), *(run_line(run, platform.surface, waits.get(run.id)) for run in mine)]
    if here:
        lines.append((Bold("Other runs here"),))
        lines += [run_line(run, platform.surface, waits.get(run.id)) for run in here]
    if not mine and not here:
        nothing: FormattedText = ("You have no runs. ", Command("list"), " shows what can be started.")
        return _message([*lines, nothing], platform.limits, *_showing(waiting, platform.limits))
    picker = _picker("More about...", actions.SHOW_RUN, [*mine, *here], platform.limits)
    return _message(lines, platform.limits, *_showing(waiting, platform.limits), picker)


def app_removed(runs: Sequence[Run], platform: Capabilities) -> Message:
    """The app was removed from where these runs live."""
    why = (
        "I was removed from the conversation of these runs. They go on: whoever may decide what they ask is "
        "asked in a direct message, also on other platforms where they are linked, and can answer in the "
        "console. Add me again to see them there:"
    )
    return _message([(why,), *(("• ", *run_line(run, platform.surface)) for run in runs)], platform.limits)


def cancellable(runs: Sequence[Run], limits: Limits) -> Message:
    """One's own active runs, to choose which one to cancel."""
    if not runs:
        return text_message("You have no run to cancel.")
    picker = _picker("Cancel...", actions.CHOOSE_RUN_TO_CANCEL, runs, limits)
    return _message([("Which run do you want to cancel?",)], limits, picker)


def ambiguous(runs: Sequence[Run], platform: Capabilities) -> Message:
    """Several runs begin with what somebody typed."""
    lines: list[FormattedText] = [("Several runs begin like that:",)]
    found = ((Code(run.id), " ", *run_line(run, platform.surface)) for run in runs)
    return _message([*lines, *found], platform.limits)


def _paused(reason: str) -> FormattedText:
    return "⏸️ ", Bold("Paused:"), " ", short_text(reason)


def _where(run: Run, surface: str) -> FormattedText:
    """The channel; none for a run that lives on another surface."""
    if run.place is None or run.place.surface != surface:
        return ()
    return " in ", ChannelName(ChatPlace.decode(run.place, surface).channel)


def _picker(label: str, action: str, runs: Sequence[Run], limits: Limits) -> Actions:
    options = tuple(_run_option(run, limits) for run in runs[: limits.options])
    return Actions((Select(label, action, options),))


def _run_option(run: Run, limits: Limits) -> Option:
    state = f"{ids.short(run.id)}, {STATES[run.status]}"
    return Option(f"{run.crew.title[: limits.label_units - 40]} ({state})", Target(run.id).encode())


# ── the console ─────────────────────────────────────────────────────────────────────────────────────────────


def console_link(url: str, minutes: int, *, local: bool) -> Message:
    """A link into the console, for one person alone. `local`: it opens on this machine only."""
    within = f"{minutes} minutes" if minutes > 1 else "a minute"
    line: list[Part] = [
        Link("Open the console", url),
        f" as yourself. The link works once, within {within}; keep it to yourself.",
    ]
    if local:
        line.append("\nIt opens where Crewdeck runs. For other machines its operator sets ")
        line += [Code("CREWDECK_PUBLIC_URL"), "."]
    return text_message(*line)


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────


def _message(lines: Sequence[FormattedText], limits: Limits, *rows: Block) -> Message:
    """Lines, and what can be pressed below them; as many lines as a list may have."""
    line = joined(fitting(lines, limits.list_units))
    return Message(line, (Paragraph(line), *rows))


def fitting(lines: Sequence[FormattedText], limit: int) -> list[FormattedText]:
    """As many lines as a list may have."""
    kept: list[FormattedText] = []
    units = 0
    for number, line in enumerate(lines):
        units += sum(map(_units, line)) + 1
        if units > limit:
            return [*kept, (f"... and {len(lines) - number} more lines",)]
        kept.append(line)
    return kept


def _units(part: Part) -> int:
    """About how long a part is when it is shown."""
    match part:
        case str():
            return len(part)
        case Bold() | Code() | Command() | Link():
            return len(part.words)
        case Untrusted():
            return length(short(part.text, part.limit or len(part.text)))
        case _:
            return 20
