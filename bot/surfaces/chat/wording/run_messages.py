"""Runs as messages: the one that opens the thread and carries the progress, and how it ended. Pure."""

from __future__ import annotations

from itertools import pairwise

from bot.core import ids
from bot.core.events.event import FileAttached, FileRefused
from bot.core.files import in_words
from bot.core.runs.run import RunStatus
from bot.core.text import visible
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import RunCard, Task
from bot.surfaces.chat.failures import RejectionReason
from bot.surfaces.chat.formatted_text import (
    ChannelName,
    Code,
    FormattedText,
    Link,
    Mention,
    Time,
    Untrusted,
    joined,
)
from bot.surfaces.chat.messages import (
    Actions,
    Block,
    Button,
    Confirm,
    Limits,
    Markdown,
    Message,
    Paragraph,
    SmallPrint,
    text_message,
)
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.shortening import length, pieces

INPUT_UNITS = 300
"""How much of one input is shown."""
SHOWN_INPUTS = 12
SHOWN_TASKS = 8
EXCERPT_UNITS = 1500
"""How much of a result is shown whose whole is a file."""
REASON_UNITS = 2000
NOTE_UNITS = 300
"""How much is shown of what the crew says of its progress."""
DURATION_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


# ── progress ────────────────────────────────────────────────────────────────────────────────────────────


def progress(card: RunCard) -> Message:
    """The run's own message, as it stands: status, task, inputs, and a Cancel button while there is any."""
    status = _status(card)
    blocks: list[Block] = [Paragraph((_title(card), "\n", *status))]
    if tasks := _tasks(card):
        blocks.append(Paragraph(tasks))
    if card.note and not card.over:
        blocks.append(Paragraph(("💬 ", Untrusted(card.note, NOTE_UNITS, "plain"))))
    if inputs := _inputs(card):
        blocks.append(Paragraph(inputs))
    started_by = ("Started by ", Mention(card.requester.principal), " · ", *_run_name(card))
    blocks.append(SmallPrint((started_by,)))
    if not card.over:
        blocks.append(Actions((_cancel(card),)))
    return Message((_title(card), ": ", *status), tuple(blocks))


def _title(card: RunCard) -> Untrusted:
    return Untrusted(card.title, style="bold")


def _run_name(card: RunCard) -> FormattedText:
    if not card.retry_of:
        return "run ", Code(card.short_id)
    retried = Code(ids.short(card.retry_of))
    return "run ", Code(card.short_id), ", which goes on from where ", retried, " was"


def _status(card: RunCard) -> FormattedText:
    if card.paused and not card.over:
        return "⏸️ Paused: ", Untrusted(card.paused, 300)
    status: dict[RunStatus, FormattedText] = {
        RunStatus.QUEUED: ("⏳ Waiting for a worker",),
        RunStatus.RUNNING: ("▶️ Working", *_since(card)),
        RunStatus.INPUT_REQUIRED: (f"🙋 Waiting for {_answers(card)} here",),
        RunStatus.COMPLETED: (f"✅ Done{_duration(card)}",),
        RunStatus.FAILED: (f"❌ Failed{_duration(card)}",),
        RunStatus.CANCELLED: ("🚫 Cancelled", *_by(card), _duration(card)),
    }
    return status[card.status]


def _answers(card: RunCard) -> str:
    return f"{card.waiting} answers" if card.waiting > 1 else "an answer"


def _since(card: RunCard) -> FormattedText:
    return (" since ", Time(card.started_at)) if card.started_at is not None else ()


def _duration(card: RunCard) -> str:
    return f" after {duration(card.seconds)}" if card.seconds is not None else ""


def _by(card: RunCard) -> FormattedText:
    return (" by ", Mention(card.cancelled_by.principal)) if card.cancelled_by else ()


def duration(seconds: int) -> str:
    """A duration as people say it: `42 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    for (size, unit), (smaller, small_unit) in pairwise(DURATION_UNITS):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{seconds} s"


def _tasks(card: RunCard) -> FormattedText:
    hidden = len(card.tasks) - SHOWN_TASKS
    before: list[FormattedText] = [(f"… and {hidden} before",)] if hidden > 0 else []
    return joined([*before, *(_task(card, each) for each in card.tasks[-SHOWN_TASKS:])])


def _task(card: RunCard, task: Task) -> FormattedText:
    agent = (" · ", Untrusted(task.agent, 80)) if task.agent else ()
    of = f" of {task.total}" if task.total else ""
    name = (f" Task {task.number}{of}: ", Untrusted(task.name, 120), *agent)
    if task.finished_at is not None:
        return "✓", *name, f" · {duration(max(0, task.finished_at - task.started_at) // 1000)}"
    return ("✗", *name) if card.over else ("▸", *name, " · since ", Time(task.started_at))


def _inputs(card: RunCard) -> FormattedText:
    shown: list[FormattedText] = [
        (Untrusted(name, 60, "bold", suffix=":"), " ", Untrusted(value, INPUT_UNITS, "plain"))
        for name, value in card.inputs[:SHOWN_INPUTS]
    ]
    hidden = len(card.inputs) - SHOWN_INPUTS
    return joined([*shown, (f"… and {hidden} more",)] if hidden > 0 else shown)


def _cancel(card: RunCard) -> Button:
    return Button(
        "Cancel",
        actions.RUN_CANCEL,
        Target(card.run_id).encode(),
        f"Cancel the run {card.short_id} of {card.title}",
        confirm=Confirm(
            title="Cancel this run?",
            text="It stops for good, and its open questions are withdrawn.",
            confirm="Cancel the run",
            deny="Let it run",
        ),
    )


def changed(card: RunCard, change: str) -> Message:
    """One line: it goes on by itself with something that is different. `change` is a sentence."""
    return text_message(_title(card), ": ", Untrusted(change, REASON_UNITS, "plain"))


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────


def file_elsewhere(run_id: str, file: FileAttached) -> Message:
    """Instead of a file that can't be shown here: where it is."""
    return text_message(
        "📎 ", Untrusted(file.name), f" ({in_words(file.size)}) can't be shown here. Get it with ",
        Code(f"crewdeck runs files {ids.short(run_id)} --save ."), ", or in the console.",
    )  # fmt: skip


def file_refused(file: FileRefused) -> Message:
    """What the crew made and nobody gets."""
    why = Untrusted(file.reason, REASON_UNITS, "plain")
    return text_message("⚠️ ", Untrusted(file.name), " can't be attached. ", why)


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────


def fits(result: str, limits: Limits) -> bool:
    """Whether the result can be shown in one message."""
    return len(result) <= limits.result_units and length(visible(result)) <= limits.result_units


def completed(card: RunCard, result: str, limits: Limits) -> Message:
    """The result, whole if it fits, else its beginning: the file follows."""
    whole = fits(result, limits)
    shown = result if whole else _excerpt(result)
    head = _done(card)
    blocks: list[Block] = [Paragraph(head), Markdown(shown, otherwise="It ended without words.")]
    if not whole:
        blocks.append(SmallPrint((("This is the beginning; the whole result is in the file below.",),)))
    return Message((*head, "\n", Untrusted(shown, 500, lines=True)), tuple(blocks))


def _excerpt(result: str) -> str:
    return next(pieces(visible(result[:EXCERPT_UNITS]), EXCERPT_UNITS), "").rstrip() + " …"


def completed_in_words(card: RunCard, result: str, limits: Limits) -> Message:
    """The result as text alone, for a platform that refuses the blocks."""
    return Message((*_done(card), "\n", Untrusted(result, limits.text_units - 400, lines=True)))


def failed(card: RunCard) -> Message:
    """What failed, in a sentence, and the run's id for whoever looks into it."""
    head = ("❌ ", *_mention_and_title(card), f" failed{_duration(card)}.")
    why = Untrusted(card.error or "It is not known why.", REASON_UNITS, "plain", lines=True)
    again = (" · An operator can try again with: ", Code(f"crewdeck runs retry {card.short_id}"))
    small = ("Run ", Code(card.run_id), *(again if card.retriable else ()))
    return Message((*head, " ", why), (Paragraph((*head, "\n", why)), SmallPrint((small,))))


def _done(card: RunCard) -> FormattedText:
    return "✅ ", *_mention_and_title(card), f" is done{_duration(card)}."


def _mention_and_title(card: RunCard) -> FormattedText:
    return Mention(card.requester.principal), " ", _title(card)


def cancelled(card: RunCard) -> Message:
    """Says that the run was cancelled, by whom, and after how long."""
    return text_message("🚫 ", _title(card), " was cancelled", *_by(card), f"{_duration(card)}.")


def file_name(title: str, run_id: str, what: str) -> str:
    """A name for a file of a run: `announcement-1a2b3c4d-result.md`."""
    safe = "".join(c if c.isalnum() and c.isascii() else "-" for c in title.lower()).strip("-")
    return f"{safe[:60] or 'run'}-{ids.short(run_id)}-{what}.md"


def in_messages(content: str, limits: Limits) -> list[Message]:
    """A whole text as messages, where files can't be uploaded."""
    return [Message((Untrusted(part, None),)) for part in pieces(content, limits.text_units)]


def posted_twice(card: RunCard, link: str | None) -> Message:
    """Instead of a run's first message that was posted twice: where the other one is."""
    there = Link("its thread", link) if link else "its thread"
    goes_on = (_title(card), ", run ", Code(card.short_id), ", goes on in ", there)
    return text_message(*goes_on, ". This message was posted twice.")


def fallback(run_id: str, status: RunStatus) -> Message:
    """In place of a card that can't be rendered; it contains no text of a crew or a person."""
    state = status.value.replace("_", " ")
    return Message(("Run ", Code(run_id), f": {state}. It can't be shown here in full."))


# ── elsewhere ───────────────────────────────────────────────────────────────────────────────────────────


def moved(card: RunCard, channel: str) -> Message:
    """To the requester: the thread can't be reached, and the run goes on."""
    return text_message(
        "I can't post in ", ChannelName(channel), " any more, where your run of ", _title(card),
        " lives: it was archived, or I was removed. The run goes on, and I'll write here instead. Run ",
        Code(card.short_id), ".",
    )  # fmt: skip


def not_placed(card: RunCard, channel: str) -> Message:
    """To the requester: the run's thread could not be opened, and it was not started."""
    why = Untrusted(card.error, REASON_UNITS, "plain")
    return text_message("Your run of ", _title(card), " in ", ChannelName(channel), " was not started. ", why)


NOT_PLACED = {
    RejectionReason.ARCHIVED: "That channel is archived, so nobody can post there.",
    RejectionReason.THREAD_GONE: "That thread is no longer there.",
    RejectionReason.OTHERS_CONVERSATION: (
        "That is a conversation of other people, in which I can't take part. Start it in a channel, or in "
        "your direct messages with me."
    ),
    RejectionReason.DIRECT_MESSAGES_OFF: "Direct messages to me are turned off in this workspace.",
    RejectionReason.POSTING_RESTRICTED: "Only some people may post in that channel, and I'm not one of them.",
}


def why_not_placed(reason: RejectionReason, code: str, app: str, platform: Capabilities) -> str:
    """Why a run's thread can't be opened, and what helps. Plain text; `app` is our name."""
    if reason is RejectionReason.NOT_A_MEMBER:
        what_helps = platform.admission.format(app=app)
        return f"I'm not a member of that conversation. {what_helps}, then start it again."
    why = NOT_PLACED.get(reason, f"I can't post there ({platform.title} says: {code}).")
    return f"{why} Nothing was started."
