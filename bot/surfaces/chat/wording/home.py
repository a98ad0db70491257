"""A person's own page: what is theirs to answer, the runs they started, and how to start one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core import ids
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.surfaces.chat import actions
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.formatted_text import Code, Command, FormattedText, Time, Untrusted
from bot.surfaces.chat.messages import (
    Actions,
    Block,
    Button,
    Heading,
    Limits,
    Message,
    Paragraph,
    Quote,
    SmallPrint,
)
from bot.surfaces.chat.shortening import beginning
from bot.surfaces.chat.wording import policies, question_messages

SHOWN_CREWS = 20
ELSEWHERE: FormattedText = (
    "It is too long to be shown here. Decide it where its run lives, or in the console.",
)
TITLE_UNITS = 100
PROMPT_UNITS = 500
STATES = {
    RunStatus.QUEUED: "⏳ waiting for a worker",
    RunStatus.RUNNING: "▶️ working",
    RunStatus.INPUT_REQUIRED: "🙋 waiting for an answer",
    RunStatus.COMPLETED: "✅ done",
    RunStatus.FAILED: "❌ failed",
    RunStatus.CANCELLED: "🚫 cancelled",
}


@dataclass(frozen=True)
class AskedQuestion:
    """An open question, and where it is."""

    card: QuestionCard
    link: str | None


@dataclass(frozen=True)
class ListedRun:
    """A run, and where it is."""

    run: Run
    link: str | None


def home(
    asked: Sequence[AskedQuestion],
    runs: Sequence[ListedRun],
    crews: Sequence[Crew],
    limits: Limits,
    *,
    more: bool,
) -> Message:
    """The page: open questions, own runs, crews."""
    blocks: list[Block] = [Heading("Waiting for you")]
    for question in asked:
        blocks += _question(question, limits)
    if not asked:
        blocks.append(Paragraph(("Nothing. Questions that are yours to answer appear here.",)))
    if more:
        blocks.append(SmallPrint((("There are more; these are the oldest.",),)))
    blocks.append(Heading("Your runs"))
    for run in runs:
        blocks += _run(run)
    if not runs:
        blocks.append(Paragraph(("You haven't started any yet.",)))
    return Message(("Crewdeck",), (*blocks, Heading("Start a crew"), *_crews(crews)))


def _question(asked: AskedQuestion, limits: Limits) -> list[Block]:
    card = asked.card
    until: FormattedText = (". Waits until ", Time(card.deadline_at)) if card.deadline_at is not None else ()
    line = (
        Untrusted(card.title, TITLE_UNITS, "bold"),
        ": ",
        Untrusted(card.asker, TITLE_UNITS),
        " asks",
        *until,
    )
    link = _link(asked.link, f"question:{card.question_id}", "Answer", f"Go to: {card.prompt}")
    if not link:
        show = question_messages.showing(card, limits, "Show", card.question_id)
        link = [Actions((show,))] if show is not None else [SmallPrint((ELSEWHERE,))]
    progress = policies.progress_blocks(card)
    return [Paragraph(line), Quote(beginning(card.prompt, PROMPT_UNITS)), *progress, *link]


def _run(listed: ListedRun) -> list[Block]:
    run = listed.run
    title = Untrusted(run.crew.title, TITLE_UNITS, "bold")
    line = (title, f" {STATES[run.status]} · ", Time(run.created_at), " · ", Code(ids.short(run.id)))
    link = _link(listed.link, f"run:{run.id}", "Open", f"Go to the run of {run.crew.title}")
    return [Paragraph(line), *link]


def _link(url: str | None, name: str, label: str, spoken: str) -> list[Block]:
    return [Actions((Button(label, actions.link(name), spoken=spoken, url=url),))] if url else []


def _crews(crews: Sequence[Crew]) -> list[Block]:
    if not crews:
        return [Paragraph(("No worker is up yet: none has announced a crew.",))]
    shown_by = " shows what each crew needs."
    hint = ("Type one of these in a channel where I am. ", Command("list"), shown_by)
    return [*(Paragraph(_crew(crew)) for crew in crews[:SHOWN_CREWS]), SmallPrint((hint,))]


def _crew(crew: Crew) -> FormattedText:
    command = Untrusted(f"/crew start {crew.name}", TITLE_UNITS)
    about: FormattedText = (
        (" ", Untrusted(crew.description, 200, "plain")) if crew.description.strip() else ()
    )
    return (command, " ", Untrusted(crew.title, 80, "bold"), *about)
