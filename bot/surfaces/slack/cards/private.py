"""What is said privately: help, lists, one run's state, choices between one's runs or questions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.core import ids
from bot.core.crew import Crew, InputField
from bot.core.policy import ANYONE, Policy
from bot.core.question import Question
from bot.core.run import Run, RunStatus
from bot.core.waiting import Wait, WaitFor
from bot.surfaces.chat.inbound import actions
from bot.surfaces.chat.inbound.actions import Target
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.slack.cards import elements
from bot.surfaces.slack.cards.elements import LABEL, Block
from bot.surfaces.slack.cards.mrkdwn import escape, length, quote, truncate_escaped
from bot.surfaces.slack.cards.rich import dated, mentioned
from bot.surfaces.slack.cards.runcard import Message
from bot.surfaces.slack.place import SURFACE

MOST_OPTIONS = 100
MOST_BLOCKS = 20
_SECTION = 2900
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

USAGE = """\
• `/crew start <crew> [name=value ...] [what it is about]` starts a crew, in a thread of its own
• `/crew list` shows the crews and what they need
• `/crew status [run]` shows your runs, or one
• `/crew cancel [run]` stops a run
• `/crew console` opens all of it in your browser
Or mention me: `@Crewdeck start demo topic="tide mills"`; in a thread, the run lives in that thread.
Answer a crew's question with its buttons, or in words, in its thread."""

NO_CREWS = "No worker is up yet: none has announced a crew. Please try again in a moment."


def words(text: str) -> Message:
    """Plain words; they are escaped."""
    return Message(escape(text))


def explained(why: str) -> Message:
    """Why something did not count; `why` is Slack's own text already."""
    return Message(why)


# ── crews ───────────────────────────────────────────────────────────────────────────────────────────────────


def usage(problem: str = "") -> Message:
    """How to speak to the app, after what was not understood (Slack's own text)."""
    usage = escape(USAGE)
    return explained(f"{problem}\n{usage}" if problem else usage)


def catalogue(crews: Iterable[Crew]) -> Message:
    """All crews with their inputs."""
    lines = [line for crew in crews for line in _crew(crew)]
    return _message(lines or [NO_CREWS])


def names(crews: Iterable[str]) -> str:
    """Which crews there are."""
    return ", ".join(f"`{escape(name)}`" for name in crews) or "none yet"


def problems(crew: Crew, wrong: dict[str, str]) -> Message:
    """Why a crew was not started."""
    lines = [f"I can't start *{escape(crew.title)}*:"]
    return _message(lines + [f"• `{escape(name)}` {escape(why)}" for name, why in wrong.items()])


def fill_in(crew: Crew, draft: str) -> Message:
    """A button to the form of a crew's inputs, where there is no way to open it at once."""
    text = f"*{escape(crew.title)}* needs some more from you before it can start."
    spoken = f"Fill in what {crew.title} needs"
    button = elements.button("Fill in...", actions.OPEN_START, Target(draft).encode(), spoken, "primary")
    return _message([text], elements.actions([button]))


def _crew(crew: Crew) -> list[str]:
    description = f": {escape(crew.description)}" if crew.description else ""
    lines = [f"*{escape(crew.title)}* (`{escape(crew.name)}`){description}"]
    return lines + [f"    • {_input(field, crew.main_input)}" for field in crew.inputs]


def _input(field: InputField, main_input: str | None) -> str:
    about = [" | ".join(map(escape, field.choices)) or field.type.value]
    if field.required and field.default is None:
        about.append("required")
    if field.default is not None:
        about.append(f"default {escape(str(field.default))}")
    if field.name == main_input:
        about.append("free text goes here")
    description = f": {escape(field.description)}" if field.description else ""
    return f"`{escape(field.name)}` ({', '.join(about)}){description}"


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────


def named(run: Run) -> str:
    """A run as people know it."""
    return f"*{escape(run.crew.title)}* (`{ids.short(run.id)}`)"


def started(run: Run) -> Message:
    """The answer to who typed a command; the thread follows."""
    return explained(f"Starting {named(run)}. Its thread opens here.")


def cancelled(run: Run) -> Message:
    """The answer to who cancelled it."""
    return explained(f"Cancelled {named(run)}.")


def over(run: Run) -> Message:
    """Somebody wants to cancel what has ended."""
    return explained(f"{named(run)} is over already: {STATES[run.status]}.")


def not_yours_to_cancel(run: Run) -> Message:
    """The answer to who may not."""
    return explained(f"{named(run)} isn't yours to cancel. Ask {deciders(run.cancellers)}.")


def over_text(run: Run) -> str:
    """Somebody replies to a run that has ended."""
    return f"{named(run)} is over ({STATES[run.status]}): it no longer takes answers."


def settled_text(question: Question) -> str:
    """Somebody replies after the decision."""
    outcome = question.outcome
    by = f" by {mentioned(outcome.by.principal)}" if outcome and outcome.by else ""
    said = f": {truncate_escaped(outcome.text(question.options), 200)}" if outcome else ""
    return f"The last question here was already settled{by}{said}. Your reply was not passed on."


def run_line(run: Run, wait: Wait | None = None) -> str:
    """A run in a line, with where it is, and what it waits for to be taken."""
    requester = mentioned(run.requester.principal)
    state = STATES[run.status]
    why = f". {escape(wait.message)}" if wait else ""
    return f"{named(run)}: {state}{_where(run)}, started {dated(run.created_at)} by {requester}{why}"


def run_state(
    run: Run,
    questions: Sequence[Question],
    paused: str | None,
    wait: Wait | None = None,
    untold: Mapping[str, str] = NOBODY,
) -> Message:
    """One run, in full. `untold`: why nobody could be told of a question who may answer it."""
    lines = [run_line(run)]
    if wait is not None and wait.code is not WaitFor.PAUSED:
        lines.append(f"• {escape(wait.message)}")
    for question in (each for each in questions if each.open):
        lines.append(f"• waits for {deciders(question.policy)}: {truncate_escaped(question.prompt, 200)}")
        if why := untold.get(question.id):
            lines.append(f"  :warning: None of them could be told ({escape(why)}). It is tried again.")
    if run.error is not None:
        lines.append(f"• {escape(run.error.message)}")
    if paused and not run.status.over:
        lines.append(_paused(paused))
    return _message([*lines, f"Run `{run.id}`"])


def runs_state(
    mine: Sequence[Run], here: Sequence[Run], paused: str | None, waits: Mapping[str, Wait] = NO_WAITS
) -> Message:
    """One's own runs and those of a channel, with a choice for more about one."""
    lines = [_paused(paused)] if paused else []
    if mine:
        lines += ["*Your runs*", *(run_line(run, waits.get(run.id)) for run in mine)]
    if here:
        lines += ["*Other runs in this channel*", *(run_line(run, waits.get(run.id)) for run in here)]
    if not mine and not here:
        return _message([*lines, "You have no runs. `/crew list` shows what can be started."])
    return _message(lines, _picker("More about...", actions.PICK_STATUS, [*mine, *here]))


def cancellable(runs: Sequence[Run]) -> Message:
    """One's own active runs, to choose which one to cancel."""
    if not runs:
        return explained("You have no run to cancel.")
    return _message(["Which run do you want to cancel?"], _picker("Cancel...", actions.PICK_CANCEL, runs))


def ambiguous(runs: Sequence[Run]) -> Message:
    """Several runs begin with what somebody typed."""
    return _message(["Several runs begin like that:", *(f"`{run.id}` {run_line(run)}" for run in runs)])


def _paused(reason: str) -> str:
    return f":double_vertical_bar: *Paused:* {escape(reason)}"


def _where(run: Run) -> str:
    if run.place is None or run.place.surface != SURFACE:
        return ""
    return f" in <#{ChatPlace.decode(run.place, SURFACE).channel}>"


def _picker(label: str, action_id: str, runs: Sequence[Run]) -> Block:
    options = [_run_option(run) for run in runs[:MOST_OPTIONS]]
    return elements.actions([elements.select(label, action_id, options)])


def _run_option(run: Run) -> Block:
    state = f"{ids.short(run.id)}, {STATES[run.status]}"
    return elements.option(f"{run.crew.title[: LABEL - 40]} ({state})", Target(run.id).encode())


# ── questions ───────────────────────────────────────────────────────────────────────────────────────────────


def which(asked: Sequence[tuple[Run, Question]], said: str, ts: str) -> Message:
    """A reply may be meant for several questions. `ts`: the reply's, by which its words are remembered."""
    rows = [row for run, question in asked[:MOST_BLOCKS] for row in _which_row(run, question, ts)]
    return _message(["*Which question is that for?*", quote(said, 300)], *rows)


def _which_row(run: Run, question: Question, ts: str) -> tuple[Block, Block]:
    target = Target(run.id, question.id, ts).encode()
    prompt = question.prompt.strip()
    about = f"*{escape(run.crew.title)}* asks: {truncate_escaped(prompt, 300)}"
    button = elements.button(prompt or "This one", actions.which(question.id), target, f"For: {prompt}")
    return elements.section(about), elements.actions([button])


def deciders(policy: Policy) -> str:
    """Who may decide, in Slack's words."""
    if ANYONE in policy.deciders:
        return "anyone in this workspace"
    *others, last = [mentioned(each) for each in policy.deciders] or ["nobody who is here"]
    return f"{', '.join(others)} or {last}" if others else last


def _message(lines: Sequence[str], *rows: Block) -> Message:
    """Lines, and what can be pressed below them; as many lines as Slack takes."""
    text = "\n".join(_fitting(lines))
    return Message(text, [elements.section(text), *rows] if rows else ())


def _fitting(lines: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for number, line in enumerate(lines):
        if length("\n".join([*kept, line])) > _SECTION:
            return [*kept, f"... and {len(lines) - number} more lines"]
        kept.append(line)
    return kept
