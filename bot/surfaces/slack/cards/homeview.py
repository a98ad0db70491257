"""The App Home view. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.core import ids
from bot.core.crew import Crew
from bot.core.run import Run, RunStatus
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.inbound import actions
from bot.surfaces.slack.cards.elements import Block, context, header, link_button, section
from bot.surfaces.slack.cards.mrkdwn import truncate_escaped
from bot.surfaces.slack.cards.rich import dated

View = dict[str, Any]

CREWS = 20
STATES = {
    RunStatus.QUEUED: "⏳ waiting for a worker",
    RunStatus.RUNNING: "▶️ working",
    RunStatus.INPUT_REQUIRED: "🙋 waiting for an answer",
    RunStatus.COMPLETED: "✅ done",
    RunStatus.FAILED: "❌ failed",
    RunStatus.CANCELLED: "🚫 cancelled",
}


@dataclass(frozen=True)
class Asked:
    """An open question, and where it is."""

    card: QuestionCard
    link: str | None


@dataclass(frozen=True)
class Listed:
    """A run, and where it is."""

    run: Run
    link: str | None


def home(asked: Sequence[Asked], runs: Sequence[Listed], crews: Sequence[Crew], *, more: bool) -> View:
    """The tab: open questions, own runs, crews."""
    blocks = [header("Waiting for you"), *map(_question, asked)]
    if not asked:
        blocks.append(section("Nothing. Questions that are yours to answer appear here."))
    if more:
        blocks.append(context("There are more; these are the oldest."))
    blocks += [header("Your runs"), *map(_run, runs)]
    if not runs:
        blocks.append(section("You haven't started any yet."))
    return {"type": "home", "blocks": [*blocks, header("Start a crew"), *_crews(crews)]}


def _question(asked: Asked) -> Block:
    card = asked.card
    until = f"\nWaits until {dated(card.deadline_at)}" if card.deadline_at is not None else ""
    text = (
        f"*{truncate_escaped(card.title, 100)}*: {truncate_escaped(card.asker, 100)} asks\n"
        f"{truncate_escaped(card.prompt, 500)}{until}"
    )
    return section(text, _link(asked.link, f"question:{card.question_id}", "Answer", f"Go to: {card.prompt}"))


def _run(listed: Listed) -> Block:
    run = listed.run
    title = truncate_escaped(run.crew.title, 100)
    text = f"*{title}* {STATES[run.status]} · {dated(run.created_at)} · `{ids.short(run.id)}`"
    return section(text, _link(listed.link, f"run:{run.id}", "Open", f"Go to the run of {run.crew.title}"))


def _link(url: str | None, name: str, label: str, spoken: str) -> Block | None:
    return link_button(label, actions.link(name), url, spoken) if url else None


def _crews(crews: Sequence[Crew]) -> list[Block]:
    if not crews:
        return [section("No worker is up yet: none has announced a crew.")]
    hint = "Type one of these in a channel where I am. `/crew list` shows what each crew needs."
    return [*(section(_crew(crew)) for crew in crews[:CREWS]), context(hint)]


def _crew(crew: Crew) -> str:
    title, about = truncate_escaped(crew.title, 80), truncate_escaped(crew.description, 200)
    return f"`/crew start {truncate_escaped(crew.name, 80)}` *{title}* {about}"
