"""Runs as messages: the one that opens the thread and carries the progress, and how it ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bot.core import ids
from bot.core.run import RunStatus
from bot.core.text import visible
from bot.surfaces.chat.cards import RunCard, Task
from bot.surfaces.chat.failures import Reason
from bot.surfaces.chat.inbound import actions
from bot.surfaces.chat.inbound.actions import Target
from bot.surfaces.slack.cards import markdown, rich
from bot.surfaces.slack.cards.elements import Block, button, context, plain
from bot.surfaces.slack.cards.elements import actions as row
from bot.surfaces.slack.cards.mrkdwn import length, pieces, truncate, truncate_escaped
from bot.surfaces.slack.cards.rich import Line, bold, code, date, line, mention, mentioned, theirs

INPUT = 300
"""Units of one input that are shown."""
INPUTS = 12
TASKS = 8
RESULT = 11_000
"""Units of a result that are shown in a message; Slack takes 12,000 in a markdown block."""
SUMMARY = 1500
"""Units of a longer one, whose whole is a file."""
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
TEXT = 3800
"""Units of a message that is text alone; Slack advises 4,000."""


@dataclass(frozen=True)
class Message:
    """What chat.postMessage takes: `text` for notifications and where blocks can't be shown, and blocks."""

    text: str
    blocks: Sequence[dict[str, Any]] = ()


def said(*parts: str | rich.Part) -> Message:
    """A message that only says something."""
    return Message(text=rich.mrkdwn(*parts), blocks=[line(*parts)])


# ── progress ────────────────────────────────────────────────────────────────────────────────────────────


def progress(card: RunCard) -> Message:
    """The run's own message, as it stands: status, task, inputs, and a Cancel button while there is any."""
    title = rich.title(card.title)
    status = _status(card)
    blocks = [line(title, "\n", *status)]
    if tasks := _tasks(card):
        blocks.append(line(*tasks))
    if inputs := _inputs(card):
        blocks.append(line(*inputs))
    blocks.append(context(f"Started by {mentioned(card.requester.principal)} · {_name(card)}"))
    if not card.over:
        blocks.append(row([_cancel(card)]))
    return Message(text=rich.mrkdwn(title, ": ", *status), blocks=blocks)


def _name(card: RunCard) -> str:
    goes_on = f", which goes on from where `{ids.short(card.retry_of)}` was" if card.retry_of else ""
    return f"run `{card.short_id}`{goes_on}"


def _status(card: RunCard) -> Line:
    if card.paused and not card.over:
        return "⏸️ Paused: ", theirs(card.paused, 300)
    said: dict[RunStatus, Line] = {
        RunStatus.QUEUED: ("⏳ Waiting for a worker",),
        RunStatus.RUNNING: ("▶️ Working", *_since(card)),
        RunStatus.INPUT_REQUIRED: (f"🙋 Waiting for {_answers(card)} in this thread",),
        RunStatus.COMPLETED: (f"✅ Done{_took(card)}",),
        RunStatus.FAILED: (f"❌ Failed{_took(card)}",),
        RunStatus.CANCELLED: ("🚫 Cancelled", *_by(card), _took(card)),
    }
    return said[card.status]


def _answers(card: RunCard) -> str:
    return f"{card.waiting} answers" if card.waiting > 1 else "an answer"


def _since(card: RunCard) -> Line:
    return (" since ", date(card.started_at)) if card.started_at is not None else ()


def _took(card: RunCard) -> str:
    return f" after {lasting(card.seconds)}" if card.seconds is not None else ""


def _by(card: RunCard) -> Line:
    return (" by ", mention(card.cancelled_by.principal)) if card.cancelled_by else ()


def lasting(seconds: int) -> str:
    """A duration as people say it: `42 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    for (size, unit), (smaller, small_unit) in pairwise(UNITS):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{seconds} s"


def _tasks(card: RunCard) -> Line:
    hidden = len(card.tasks) - TASKS
    before = [(f"… and {hidden} before",)] if hidden > 0 else []
    return _lines([*before, *(_task(card, each) for each in card.tasks[-TASKS:])])


def _task(card: RunCard, task: Task) -> Line:
    agent = (" · ", theirs(task.agent, 80)) if task.agent else ()
    of = f" of {task.total}" if task.total else ""
    name = (f" Task {task.number}{of}: ", theirs(task.name, 120), *agent)
    if task.finished_at is not None:
        return "✓", *name, f" · {lasting(max(0, task.finished_at - task.started_at) // 1000)}"
    return ("✗", *name) if card.over else ("▸", *name, " · since ", date(task.started_at))


def _inputs(card: RunCard) -> Line:
    shown: list[Line] = [
        (bold(f"{rich.short(name, 60)}:"), " ", rich.short(value, INPUT))
        for name, value in card.inputs[:INPUTS]
    ]
    hidden = len(card.inputs) - INPUTS
    return _lines([*shown, (f"… and {hidden} more",)] if hidden > 0 else shown)


def _lines(lines: Sequence[Line]) -> Line:
    """One below the other."""
    return [part for at, each in enumerate(lines) for part in (("\n", *each) if at else each)]


def _cancel(card: RunCard) -> Block:
    spoken = f"Cancel the run {card.short_id} of {card.title}"
    pressed = button("Cancel", actions.RUN_CANCEL, Target(card.run_id).encode(), spoken)
    sure = {
        "title": plain("Cancel this run?", 100),
        "text": plain("It stops for good, and its open questions are withdrawn.", 300),
        "confirm": plain("Cancel the run", 30),
        "deny": plain("Let it run", 30),
        "style": "danger",
    }
    return pressed | {"confirm": sure}


def changed(card: RunCard, change: str) -> Message:
    """One line: it goes on by itself with something that is different. `change` is a sentence."""
    return said(rich.title(card.title), ": ", rich.short(change, 2000))


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────


def fits(result: str) -> bool:
    """Whether the result can be shown in one message."""
    return len(result) <= RESULT and length(visible(result)) <= RESULT


def completed(card: RunCard, result: str) -> Message:
    """The result, whole if it fits, else its beginning: the file follows."""
    whole = fits(result)
    shown = result if whole else next(pieces(visible(result[:SUMMARY]), SUMMARY), "").rstrip() + " …"
    head = _done(card)
    blocks = [line(*head), *(markdown.rendered(shown) or [line("It ended without words.")])]
    if not whole:
        blocks.append(context("This is the beginning; the whole result is in the file below."))
    return Message(text=f"{rich.mrkdwn(*head)}\n{truncate_escaped(shown, 500)}", blocks=blocks)


def completed_in_words(card: RunCard, result: str) -> Message:
    """The same as text alone, for when Slack refuses the blocks."""
    head = rich.mrkdwn(*_done(card))
    return Message(text=f"{head}\n{truncate_escaped(result, TEXT - length(head))}")


def failed(card: RunCard) -> Message:
    """What failed, in a sentence, and the run's id for whoever looks into it."""
    head = ("❌ ", *_whose(card), f" failed{_took(card)}.")
    why = card.error or "It is not known why."
    again = (
        f" · An operator can try again with: `crewdeck runs retry {card.short_id}`" if card.retriable else ""
    )
    shown = truncate(visible(why[:2001]), 2000)
    return Message(
        text=f"{rich.mrkdwn(*head)} {truncate_escaped(why, 2000)}",
        blocks=[line(*head, "\n", shown), context(f"Run `{card.run_id}`{again}")],
    )


def _done(card: RunCard) -> Line:
    return "✅ ", *_whose(card), f" is done{_took(card)}."


def _whose(card: RunCard) -> Line:
    return mention(card.requester.principal), " ", rich.title(card.title)


def cancelled(card: RunCard) -> Message:
    """Who cancelled it."""
    return said("🚫 ", rich.title(card.title), " was cancelled", *_by(card), f"{_took(card)}.")


def file_name(title: str, run_id: str, what: str) -> str:
    """A name for a file of a run: `announcement-1a2b3c4d-result.md`."""
    safe = "".join(c if c.isalnum() and c.isascii() else "-" for c in title.lower()).strip("-")
    return f"{safe[:60] or 'run'}-{ids.short(run_id)}-{what}.md"


def twin(card: RunCard, link: str | None) -> Message:
    """Instead of a run's first message that was posted twice: where the other one is."""
    there = {"type": "link", "url": link, "text": "its thread"} if link else "its thread"
    goes_on = (rich.title(card.title), ", run ", code(card.short_id), ", goes on in ", there)
    return said(*goes_on, ". This message was posted twice.")


def bare(run_id: str, status: RunStatus) -> Message:
    """Instead of a card that can't be drawn: nothing in it is anybody's text."""
    return Message(text=f"Run `{run_id}`: {status.value.replace('_', ' ')}. It can't be shown here in full.")


# ── elsewhere ───────────────────────────────────────────────────────────────────────────────────────────


def moved(card: RunCard, channel: str) -> Message:
    """To the requester: the thread can't be reached, and the run goes on."""
    return said(
        "I can't post in ", rich.channel(channel), " any more, where your run of ", rich.title(card.title),
        " lives: it was archived, or I was removed. The run goes on, and I'll write here instead. Run ",
        code(card.short_id), ".",
    )  # fmt: skip


def placeless(card: RunCard, channel: str) -> Message:
    """To the requester: the run found no place, and was not started."""
    why = rich.short(card.error, 2000)
    return said(
        "Your run of ", rich.title(card.title), " in ", rich.channel(channel), f" was not started. {why}"
    )  # fmt: skip


PLACELESS = {
    Reason.ARCHIVED: "That channel is archived, so nobody can post there.",
    Reason.THREAD_GONE: "That thread is no longer there.",
    Reason.DIRECT_MESSAGES_OFF: "Direct messages to me are turned off in this workspace.",
    Reason.POSTING_RESTRICTED: "Only some people may post in that channel, and I'm not one of them.",
}


def why_placeless(reason: Reason, code: str, app: str, platform: str) -> str:
    """Why a run's thread can't be opened, and what helps. Plain text; `app` is our name."""
    if reason is Reason.NOT_A_MEMBER:
        return f"I'm not a member of that channel. Invite me with /invite @{app}, then start it again."
    why = PLACELESS.get(reason, f"I can't post there ({platform} says: {code}).")
    return f"{why} Nothing was started."
